"""The page of `nox -s report`, from records: what it says, what it escapes, and in a browser."""

import dataclasses
import datetime
import html.parser
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from vcd import VCDWriter

from formal.report.waves import Signal
from gate import history
from gate.history import Entry
from gate.manifest import find_browser
from gate.report import __main__ as command
from gate.report import mutants, red, timing
from gate.report.page import number, page
from gate.report.records import Records, age, read
from spec.trace import Tensor
from tests.gate.test_gate import PLAIN, judge, whole

NOW = datetime.datetime(2026, 3, 9, 12, tzinfo=datetime.UTC)
BEFORE = "2026-03-06T11:00:00+00:00"
SENTENCE = "A read & a write <meet> in one cycle."
REPLAY = "python -m sim replay build/fuzz/x.safetensors"


def records(build: Path, past: Path | None = None) -> Records:
    return read(build, NOW, past or build / "history.jsonl")


def write(build: Path, name: str, content: Any) -> None:
    path = build / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_trace(path: Path, actual: list[int]) -> None:
    """A trace as of a proof: the theorem sees `q` of the design, and its model expects 1, 2, 3."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file, VCDWriter(file, timescale="1 ns", date="") as writer:
        signals = {
            (scope, name): writer.register_var(scope, name, "wire", size=8, init=0)
            for scope, name in (
                ("top.dut", "q"), ("top.theorem", "q"), ("top.theorem.model", "q"),
                ("top.theorem", "other"),
            )
        }  # fmt: skip
        for cycle, value in enumerate(actual):
            writer.change(signals["top.dut", "q"], 10 * cycle, value)
            writer.change(signals["top.theorem", "q"], 10 * cycle, value)
            writer.change(signals["top.theorem.model", "q"], 10 * cycle, cycle + 1)
        writer.close(10 * len(actual))


def simulated(differs: int | None = 8) -> str:
    """A waveform as the driver writes it: in cycle 8 of 20, Q[3] is traced as -2, golden has 7."""
    names = {"differs": 1, "expected": 32, "index": 32, "tensor": 16, "value": 32}
    codes = dict(zip(names, "()&'+", strict=True))
    compared = "".join(f"$var wire {names[name]} {codes[name]} {name} $end\n" for name in names)
    declared = (
        "$timescale 1 ns $end\n$var wire 1 ! clk $end\n$var wire 8 % count $end\n"
        "$var wire 8 % $signal$5 $end\n"
        f"$scope module compared0 $end\n{compared}$upscope $end\n"
        "$scope module inside $end\n$var wire 1 ! clk $end\n$var reg 8 * deep $end\n"
        "$upscope $end\n$enddefinitions $end\n"
    )
    held = {"expected": 7, "index": 3, "tensor": Tensor.Q.value, "value": 0xFFFFFFFE}
    values = "".join(f"b{value:b} {codes[name]}\n" for name, value in held.items())
    changes = [
        f"#{10 * cycle}\n1!\nb{cycle:b} %\n{int(cycle == differs)}(\n{values}"
        f"#{10 * cycle + 5}\n0!\n"
        for cycle in range(20)
    ]
    return declared + "".join(changes)


def full() -> dict[str, Any]:
    """Green records, with the fields that only the page reads."""
    left = whole()
    for name in ("formal/results.json", "fuzz/summary.json", "tests/summary.json"):
        left[name] |= {"commit": "c" * 40, "date": BEFORE, "tools": {"amaranth": "0.5.10"}}
    left["formal/results.json"] |= {"tier": "all", "not_asked": 0}
    run = {"seconds": 0.5, "names": [], "cycles": 4, "trace": None}
    for result in left["formal/results.json"]["results"]:
        result |= {
            "family": "kv_cache", "theorem": SENTENCE, "depth": 2, "reason": "", "detail": "",
            "assumptions": 1, "claims": [],
        }  # fmt: skip
        for name in ("proof", "confirmation", "cover", "bug"):
            result[name] |= run
        result["bug"] |= {"name": "no bypass"}
    shape = {
        "name": "mha", "dim": 16, "hidden": 11, "layers": 2, "heads": 4, "kv_heads": 4,
        "vocab": 13, "seq_len": 9, "head_dim": 4, "lanes": 8, "cache": "on-chip", "rope": "table",
        "rounding": "half up", "weight_bits": 16, "residual": "SQ(6, 12)", "examples": 15,
    }  # fmt: skip
    fuzz = left["fuzz/summary.json"]
    fuzz |= {"examples": 17, "values": 850, "steps": 17}
    for case in fuzz["cases"]:
        case |= {"first": {"a choice ends a text": 3}, "drawn": [shape, shape | {"dim": 4}]}
    left["synth/ports.json"]["verdicts"] = [
        one | {"cache_found": 4, "cache_expected": 4, "block_rams": 9, "findings": []}
        for one in left["synth/ports.json"]["verdicts"]
    ]
    for result in left["formal/sweep.json"]["results"]:
        result["claimed_for"] = "any shape"
    left["accuracy.json"] = {
        "steps": 2, "kl_mean": 1e-7, "kl_max": 2e-7, "perplexity_ratio": 1.0, "greedy_equal": 2,
        "first_mismatch": None, "tensors": {"q": {"worst": 0.01, "largest": 2.0}},
        "saturated": {}, "divergences": [1e-7, 0.0], "errors": {"q": [0.01, 0.02]},
        "magnitudes": {"q": {"-3": 5, "0": 2}}, "formats": {"q": [4, 12]},
    }  # fmt: skip
    left["sim/stages.json"] = {"name": "toy, 8 lanes", "stages": {"S1": [5, 6], "S2": [1, 9]}}
    source = "a = 1\nif a < 2:\n    a = 3\nb = 4\n"
    mutant = {
        "id": "design/x.py:f:flip:0", "mutatorName": "flip", "replacement": "if a <= 2:",
        "location": {"start": {"line": 2, "column": 1}, "end": {"line": 2, "column": 10}},
        "status": "Survived", "statusReason": "nobody objects", "killedBy": [],
        "coveredBy": ["comparison"],
    }  # fmt: skip
    killed = mutant | {"id": "k", "status": "Killed", "killedBy": ["comparison"]}
    left["mutate/report.json"] = {
        "files": {"design/x.py": {"source": source, "mutants": [mutant, killed]}},
        "testFiles": {"mutate": {"tests": [{"id": "comparison"}, {"id": "formal"}]}},
        "config": {"proofs": False},
    }
    return left


def plant(left: dict[str, Any], build: Path) -> None:
    """A red proof with a trace, a red value with a waveform, and a RAM with a copy."""
    proof = left["formal/results.json"]["results"][0]
    trace = build / "formal" / "one-nano" / "trace.vcd"
    write_trace(trace, [1, 2, 9])
    proof |= {
        "status": "RED", "detail": "violated: same after 3 cycles",
        "claims": [{"name": "same", "sentence": "It is the <same>.", "place": "x.py:7"}],
    }  # fmt: skip
    proof["proof"] |= {"status": "FAIL", "trace": trace.relative_to(build).as_posix()}
    wave = build / "build" / "fuzz" / "x.vcd"
    wave.parent.mkdir(parents=True)
    wave.write_text(simulated(), "ascii")
    wave.with_suffix(".safetensors").write_bytes(b"weights")
    left["fuzz/summary.json"]["cases"][0] |= {
        "outcome": "failed, call",
        "message": "position 0 (token <4>), layer 1, Q[3]: golden 7, RTL -2\n"
        "reproducer: build/fuzz/x.safetensors\n"
        f"waveform of token 1: build/fuzz/x.vcd\nreplay: {REPLAY}",
    }
    finding = {"memory": "cache.bank", "what": "RAM", "expected": "2 DP16KD", "found": "4 DP16KD"}
    left["synth/ports.json"]["verdicts"][0] |= {"ok": False, "findings": [finding]}


class Elements(html.parser.HTMLParser):
    """The text of a page, its links, and whether its elements are closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.seen: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        self.links += [
            str(fields[name]) for name in ("href", "src", "xlink:href") if name in fields
        ]
        self.ids += [str(fields["id"])] if "id" in fields else []
        if tag not in ("meta", "link", "input", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).split())


def drawn(text: str) -> Elements:
    elements = Elements(text)
    assert not elements.open
    return elements


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The page of green records, of three planted bugs, and of no record."""
    made = {}
    for name in ("green", "red", "empty"):
        build = tmp_path_factory.mktemp(name)
        if name != "empty":
            left = full()
            if name == "red":
                plant(left, build)
            assert judge(build, left)[0] is (name == "green")
        for past in (True, True, False) if name == "green" else ():
            figures = {"proofs": 3.0, "values compared": 850.0}
            entry = Entry("c" * 40, BEFORE, past, "dev", figures, [] if past else ["two"])
            history.append(entry, build / "history.jsonl")
        made[name] = page(records(build), root=build)
        assert page(records(build), root=build) == made[name], "not deterministic"
    return made


def test_a_green_page_needs_nothing_else_and_shows_every_section(pages):
    elements = drawn(pages["green"])
    outside = [link for link in elements.links if not link.startswith(("#", "data:"))]
    assert outside == []
    assert len(elements.ids) == len(set(elements.ids))
    assert "GREEN" in elements.text and 'id="red"' not in pages["green"]
    for words in (
        "confirmed by a second engine", "850 values compared", "Cover points", "By family and",
        "Kills by file and detector", "nobody objects", "mean KL", "toy, 8 lanes",
        "3 gates in history.jsonl", "nox -s gate -- --profile dev", SENTENCE,
    ):  # fmt: skip
        assert words in elements.text, words
    assert pages["green"].count("<svg") > 10


def test_what_is_red_has_sentence_command_reproducer_and_waveform(pages):
    elements = drawn(pages["red"])
    for words in (
        "RED , 3 red", "It is the <same>.", "(x.py:7)", "violated: same after 3 cycles",
        "python -m formal prove one --config nano",
        REPLAY, "(token <4>), layer 1, Q[3]: golden 7, RTL -2", "build/fuzz/x.safetensors",
        "1 findings; 4 RAMs hold the cache, must be 4", "RAM: 4 DP16KD, must be 2 DP16KD",
        "python -m synth ports --config nano --lanes 4",
    ):  # fmt: skip
        assert words in elements.text, words
    assert pages["red"].count("<figure") == 2
    downloads = [link for link in elements.links if link.startswith("data:application")]
    assert len(downloads) == 3  # two waveforms and the reproducer


def test_without_records_every_section_names_its_command(pages):
    text = drawn(pages["empty"]).text
    assert "NO VERDICT" in text
    for words in (
        "nox -s gate", "nox -s formal -- --all", "nox -s fuzz -- --profile ci", "nox -s mutate",
        "python -m golden accuracy --json > build/accuracy.json", "python -m sim cycles --stages",
        "nox -s synth", "nox -s bench", "no gate in history.jsonl",
    ):  # fmt: skip
        assert words in text, words


def test_records_are_escaped(tmp_path):
    left = full()
    evil = "</script><script>alert(1)</script>&amp;"
    proof = left["formal/results.json"]["results"][0]
    proof |= {"status": "RED", "detail": evil, "theorem": evil, "family": evil}
    left["fuzz/summary.json"]["cases"][0] |= {"outcome": "failed", "message": evil}
    left["mutate/report.json"]["files"]["design/x.py"]["source"] = f"{evil}\n" * 5
    left["sim/stages.json"]["name"] = evil
    judge(tmp_path, left)
    viewer = tmp_path / "viewer.js"
    viewer.write_text("const end = '</script>';")
    text = page(records(tmp_path), root=tmp_path, viewer=viewer)
    drawn(text)
    assert "<script>alert" not in text
    assert r"const end = '<\/script>'" in text and "<mutation-test-report-app" in text
    assert text.count("<script") == 3


def test_damaged_records_are_missing_ones(tmp_path):
    for name in ("formal/results.json", "gate.json", "mutate/report.json", "accuracy.json"):
        write(tmp_path, name, {})
        (tmp_path / name).write_text('{"truncated": ')
    text = drawn(page(records(tmp_path), root=tmp_path)).text
    assert "NO VERDICT" in text and "Proofs not run: no record" in text


def test_records_without_a_verdict_show_what_is_red_themselves(tmp_path):
    left = full()
    plant(left, tmp_path)
    judge(tmp_path, left)
    (tmp_path / "gate.json").unlink()
    cards = red.cards(records(tmp_path), tmp_path)
    assert [card.part for card in cards] == ["Proved", "Compared", "Mapped"]
    assert cards[0].diagram and cards[1].diagram
    assert "NO VERDICT" in drawn(page(records(tmp_path), root=tmp_path)).text


def test_what_was_run_after_the_verdict_is_not_judged_by_it(tmp_path):
    left = full()
    judge(tmp_path, left)
    write(tmp_path, "fuzz/summary.json", left["fuzz/summary.json"] | {"date": "2999-01-01"})
    text = drawn(page(records(tmp_path), root=tmp_path)).text
    assert "not judged by it: fuzz/summary.json" in text


@pytest.mark.parametrize(
    ("date", "words"),
    [
        (BEFORE, "3 days old"),
        ("2026-03-08T12:00:00+00:00", "1 day old"),
        ("2026-03-09T10:59:00+00:00", "1 hour old"),
        ("2026-03-09T11:58:00+00:00", "2 minutes old"),
        ("2026-03-09T12:00:00+00:00", "less than a minute old"),
        ("", "of unknown age"),
        ("yesterday", "of unknown age"),
        ("2026-03-09", "of unknown age"),
    ],
)
def test_ages_are_said(date, words):
    assert age(date, NOW) == words


def test_an_old_verdict_says_so(pages):
    assert re.search(r'<time data-age datetime="2026-03-06[^>]*>3 days old<', pages["green"])


def test_expected_stands_above_what_differs(tmp_path):
    write_trace(tmp_path / "trace.vcd", [1, 2, 9])
    diagram = timing.of_proof(tmp_path / "trace.vcd")
    assert diagram is not None and diagram.cycles == [0, 1, 2]
    expected, actual, *rest = diagram.rows
    assert (expected.name, expected.runs[-1]) == ("theorem.model.q", (2, 1, "3"))
    assert (actual.name, actual.runs[-1], actual.differs) == ("theorem.q", (2, 1, "9"), [2])
    assert [row.name for row in rest] == ["theorem.other"]


def test_a_diagram_has_the_last_cycles_and_what_changes_first():
    still = Signal(("top", "still"), 1, ["1"] * 30)
    moves = Signal(("top", "moves"), 32, ["x"] * 20 + [f"{n:b}" for n in range(10)])
    diagram = timing.diagram([still, moves], cycles=12, most=1)
    assert (diagram.cycles, diagram.more) == (list(range(18, 30)), 1)
    (row,) = diagram.rows
    assert row.name == "moves" and row.runs[:3] == [(0, 2, "x"), (2, 1, "0"), (3, 1, "1")]


def test_a_value_that_differs_is_drawn_beside_goldens(tmp_path):
    wave = tmp_path / "wave.vcd"
    wave.write_text(simulated(), "ascii")
    diagram = timing.of_simulation(wave)
    assert diagram is not None and diagram.cycles == list(range(12))
    expected, actual, count = diagram.rows
    assert (expected.name, expected.runs) == (
        "Q[3] expected",
        [(0, 8, ""), (8, 1, "7"), (9, 3, "")],
    )
    assert (actual.name, actual.runs[1], actual.differs) == ("Q[3]", (8, 1, "-2"), [8])
    assert (count.name, count.runs[8]) == ("count", (8, 1, "8"))
    # If nothing differs, as in a hang, the last cycles.
    wave.write_text(simulated(differs=None), "ascii")
    diagram = timing.of_simulation(wave)
    assert diagram is not None and diagram.cycles == list(range(8, 20))
    assert [row.name for row in diagram.rows] == ["count"]
    wave.with_suffix(".sucl").write_text("load_file x\nvariable_add inside.deep\n")
    diagram = timing.of_simulation(wave)
    assert diagram is not None and [row.name for row in diagram.rows] == ["inside.deep"]


def test_traces_that_cannot_be_drawn_are_left_out(tmp_path):
    assert timing.of_proof(tmp_path / "missing.vcd") is None
    (tmp_path / "trace.txt").write_text("one\n")
    assert timing.of_proof(tmp_path / "trace.txt") is None
    (tmp_path / "trace.vcd").write_text("$scope module $end\n")
    assert timing.of_proof(tmp_path / "trace.vcd") is None
    assert timing.of_simulation(tmp_path / "trace.vcd") is None


def test_a_failed_test_has_its_command_and_message(tmp_path):
    left = full()
    left["tests/summary.json"]["cases"][0] |= {"outcome": "failed, call", "message": "1 != 2"}
    left["lint.json"]["checks"][0] |= {"ok": False, "message": "x.py:1: error"}
    left["formal/sweep.json"]["results"][0] |= {"red": {"lanes": 2}, "detail": "violated"}
    left["story.json"]["equal"] = False
    left["gate-steps.json"][1]["ok"] = False
    judge(tmp_path, left)
    cards = {(card.part, card.title): card for card in red.cards(records(tmp_path), tmp_path)}
    test = cards["Tested", PLAIN[0].rpartition("/")[2]]
    assert (test.command, test.message) == (f"pytest {PLAIN[0]}", "1 != 2")
    assert cards["Linted", "ruff"].message == "x.py:1: error"
    swept = cards["Swept", "one"]
    assert swept.command == "nox -s sweep -- one --seed 20260730"
    assert swept.facts == [("lanes", "2")]
    assert cards["Story", "story"].command == "nox -s story"
    assert cards["Steps", "lint"].command == "nox -s lint"


def test_the_source_of_a_survivor_is_shown_with_its_change(tmp_path):
    judge(tmp_path, full())
    (one,) = mutants.section(records(tmp_path)).data["survivors"]
    assert one["before"] == [(1, "a = 1")] and one["old"] == [(2, "if a < 2:")]
    assert one["new"] == ["if a <= 2:"] and one["after"][0] == (3, "    a = 3")


def run(*arguments: str) -> tuple[int, str]:
    ran = CliRunner().invoke(command.main, list(arguments))
    return ran.exit_code, ran.output


def test_the_command_writes_the_page(tmp_path):
    assert run("--build", str(tmp_path), "--now", "2026-03-09T12:00:00")[0] == 0
    text = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "Written 2026-03-09T12:00:00+00:00" in text
    code, printed = run("--build", str(tmp_path), "--viewer", str(tmp_path / "none.js"))
    assert code == 2 and "is no file" in printed
    (tmp_path / "history.jsonl").write_text("nonsense\n")
    code, printed = run("--build", str(tmp_path), "--history", str(tmp_path / "history.jsonl"))
    assert code == 2 and "history.jsonl: line 1 is no entry" in printed


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (3, "3"), (1234567, "1,234,567"), (0.5, "0.5"), (1e-7, "1.0e-07"), (0.0, "0")],
)
def test_numbers_are_short(value, shown):
    assert number(value) == shown


# The terminal, and the history.


def test_the_summary_begins_with_the_verdict_then_changes_then_red(tmp_path):
    left = full()
    left["formal/results.json"]["results"][0]["status"] = "UNKNOWN"
    _, text = judge(tmp_path, left)
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[0].startswith("Verdict: RED, 1 lines")
    assert lines[1] == "No green gate yet in the history."
    assert lines[2].strip() == "Red"
    assert text.index("UNKNOWN") < text.index("Counts") < text.index("3 of 3 passed")
    assert len(lines) < 40, "no line for each green proof"


def test_changes_since_the_last_green_gate_are_named(tmp_path):
    file = tmp_path / "history.jsonl"
    green = Entry("0" * 40, BEFORE, True, "ci", {"proofs": 3, "seconds of proofs": 9.5})
    history.append(green, file)
    history.append(dataclasses.replace(green, ok=False, red=["one"]), file)
    entries = history.read(file)
    assert [entry.ok for entry in entries] == [True, False]
    assert history.last_green(entries) == entries[0] and history.last_green([]) is None
    said = history.changes(entries[0], {"proofs": 5, "seconds of proofs": 7.0}, ["one"])
    assert said == [
        "commit 000000000 is not in this repository",
        "proofs: 3 then, 5 now",
        "red since then: one",
    ]


def test_figures_are_those_of_the_records(tmp_path):
    judge(tmp_path, full())
    figures = history.figures(tmp_path)
    assert figures["proofs"] == 3 and figures["values compared"] == 850
    assert figures["tests"] == 3 and figures["swept proofs"] == 4
    assert history.figures(tmp_path / "nowhere") == {}


# A real browser.

Browser = Any


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a network."""
    found = find_browser()
    if found is None:
        pytest.skip("no browser: Chromium, chromedriver or Selenium is missing")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    yield driver
    driver.quit()


def opened(browser: Browser, path: Path, text: str, width: int, scheme: str) -> None:
    path.write_text(text, "utf-8")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())


@pytest.mark.parametrize("name", ["green", "red", "empty"])
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (400, "dark")])
def test_a_browser_shows_it_without_errors(browser, pages, tmp_path, name, width, scheme):
    opened(browser, tmp_path / "page.html", pages[name], width, scheme)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('p, td, li, dd, code, summary')]"
        ".filter(e => e.offsetParent).map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 11
    ink, paper = browser.execute_script(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )
    dark = [sum(map(int, re.findall(r"\d+", color)[:3])) < 384 for color in (ink, paper)]
    assert dark == ([False, True] if scheme == "dark" else [True, False])


def test_a_browser_sorts_and_filters(browser, pages, tmp_path):
    opened(browser, tmp_path / "page.html", pages["green"], 1200, "light")
    column = "return [...document.querySelectorAll('#proofs-table tbody tr')]"
    names = f"{column}.filter(r => !r.hidden).map(r => r.cells[2].textContent)"
    assert len(browser.execute_script(names)) == 3
    click = "document.querySelectorAll('#proofs-table th button')[1].click()"
    browser.execute_script(click)
    ascending = browser.execute_script(names)
    browser.execute_script(click)
    assert ascending == sorted(ascending) == browser.execute_script(names)[::-1]
    browser.execute_script(
        "const i = document.querySelector('[data-table=proofs-table] input');"
        "i.value = 'TWO nano'; i.dispatchEvent(new Event('input'))"
    )
    assert browser.execute_script(names) == ["nano"]
    shown = "return document.querySelector('[data-table=proofs-table] output').textContent"
    assert browser.execute_script(shown) == "1 of 3"


def test_a_browser_says_how_old_it_is_when_it_is_read(browser, pages, tmp_path):
    opened(browser, tmp_path / "page.html", pages["green"], 1200, "light")
    ages = browser.execute_script(
        "return [...document.querySelectorAll('time[data-age]')]"
        ".map(t => [t.dateTime, t.textContent])"
    )
    days = (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(BEFORE)).days
    assert any(date == BEFORE and text == f"{days} days old" for date, text in ages)
