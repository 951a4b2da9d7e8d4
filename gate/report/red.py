"""What is red: for each line, all that is needed to work on it."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gate.report import timing
from gate.report.attachments import Attachment, attach
from gate.report.records import Records
from gate.report.timing import Diagram
from gate.summary import JOBS, title_of
from tools.evidence import ROOT
from tools.save_files import VIEWERS

#: Cards with files and diagrams; further ones have none.
DETAILED = 40
#: Further cards of a part are counted.
MOST = 200


@dataclass(frozen=True)
class Card:
    """A red line: what it says, the sentences of the claim, the command that repeats it, what was
    printed, and what was left."""

    part: str
    title: str
    detail: str
    command: str
    sentence: str = ""
    claims: list[Mapping[str, str]] = field(default_factory=list)
    message: str = ""
    files: list[Attachment] = field(default_factory=list)
    diagram: Diagram | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)


Line = Mapping[str, Any]


def lines(records: Records) -> list[tuple[str, Line]]:
    """The red lines of the verdict by part, else those that the records themselves call red."""
    if verdict := records.verdict:
        found = [
            (part, line) for part in JOBS for line in verdict.get(part) or () if not line["ok"]
        ]
        # A red step is the one whose red lines come first.
        return sorted(found, key=lambda each: each[0] == "steps")
    return list(_of_records(records))


def _of_records(records: Records) -> Iterator[tuple[str, Line]]:
    for result in (records["formal"] or {}).get("results", ()):
        if result["status"] != "PASS":
            key = (result["id"], result["config"])
            yield "proved", _line(result["id"], f"{result['config']} {result['detail']}", *key)
    for part, name in (("compared", "fuzz"), ("tested", "tests")):
        for case in (records[name] or {}).get("cases", ()):
            if case["outcome"] not in ("passed", "skipped"):
                yield part, _line(case["test"].rpartition("/")[2], case["outcome"], case["test"])
    for check in (records["lint"] or {}).get("checks", ()):
        if not check["ok"]:
            yield "linted", _line(check["check"], f"{check['files']} files", check["check"])
    for one in (records["ports"] or {}).get("verdicts", ()):
        if not one["ok"]:
            named = (one["config"], one["lanes"], one["device"], bool(one["bug"]))
            yield "mapped", _line(f"{one['config']}-{one['lanes']}", "RED", *map(str, named))
    for result in (records["sweep"] or {}).get("results", ()):
        if result["red"]:
            yield "swept", _line(result["id"], result["detail"], result["id"])
    if (story := records["story"]) and story.get("equal") is False:
        yield "told", _line("story", "a value DIFFERS from golden's")


def _line(name: str, detail: str, *key: str) -> Line:
    return {"name": name, "detail": detail, "key": list(key), "ok": False}


def cards(records: Records, root: Path = ROOT) -> list[Card]:
    """A card for each red line."""
    makers: dict[str, Callable[[Records, Line, Path | None], Card]] = {
        "proved": _proof, "compared": _test, "tested": _test, "linted": _check,
        "mapped": _netlist, "swept": _swept,
    }  # fmt: skip
    made = []
    # A test may be red by its outcome and by its counts: one card tells both.
    distinct = {
        (part, *(line.get("key") or [str(n)])): (part, line)
        for n, (part, line) in reversed(list(enumerate(lines(records))))
    }
    for number, (part, line) in enumerate(list(distinct.values())[::-1][:MOST]):
        maker = makers.get(part)
        card = maker(records, line, root if number < DETAILED else None) if maker else None
        made.append(card or _plain(part, line))
    return made


def _plain(part: str, line: Line, command: str = "") -> Card:
    session = line["name"] if part == "steps" and line.get("key") else JOBS[part]
    return Card(title_of(part), line["name"], line["detail"], command or f"nox -s {session}")


def _proof(records: Records, line: Line, root: Path | None) -> Card:
    key = tuple(line.get("key") or ())
    results = (records["formal"] or {}).get("results", ())
    result = next((one for one in results if (one["id"], one["config"]) == key), None)
    if len(key) != 2:
        return _plain("proved", line, "python -m formal prove --all")
    command = f"python -m formal prove {key[0]} --config {shlex.quote(key[1])}"
    if result is None:
        return _plain("proved", line, command)
    files, diagram = [], None
    for name in ("proof", "confirmation", "cover"):
        run = result.get(name) or {}
        if root is None or run.get("status") == "PASS" or not run.get("trace"):
            continue
        trace = root / run["trace"]
        files.append(attach(f"trace of the {name}", trace, root))
        files += _save_files(trace, root)
        diagram = diagram or timing.of_proof(trace)
    return Card(
        "Proved",
        f"{key[0]} {key[1]}",
        result.get("detail") or line["detail"],
        command,
        sentence=result.get("theorem", ""),
        claims=result.get("claims", []),
        files=files,
        diagram=diagram,
        facts=[("engine", f"{result.get('engine')}, {result.get('mode')} {result.get('depth')}")],
    )


def _save_files(trace: Path, root: Path) -> list[Attachment]:
    """Those beside a trace, each with the program that opens it."""
    return [
        attach(program, save, root)
        for suffix, program in VIEWERS.items()
        if (save := trace.with_suffix(suffix)).is_file()
    ]


#: What a failed comparison prints, see `tests.fuzz.reproducer`.
_PRINTED = re.compile(
    r"^(?:E\s+)?(reproducer|waveform of token \d+|replay): (.*)$",
    re.M,
)


def _test(records: Records, line: Line, root: Path | None) -> Card:
    part = "compared" if str(*line.get("key") or ("",)).startswith("tests/fuzz") else "tested"
    if not line.get("key"):
        return _plain(part, line)
    (test,) = line["key"]
    record = records["fuzz" if part == "compared" else "tests"] or {}
    cases: list[dict[str, Any]] = record.get("cases", [])
    case = next((one for one in cases if one["test"] == test), {})
    message = str(case.get("message", ""))
    printed = {label: value.strip() for label, value in _PRINTED.findall(message)}
    # A failed comparison begins with the difference.
    detail = message.partition("\n")[0] if printed else line["detail"]
    command = printed.pop("replay", "") or f"pytest {shlex.quote(test)}"
    files, diagram = [], None
    for label, value in printed.items():
        if root is None:
            break
        path = root / value
        files.append(attach(label, path, root))
        if label.startswith("waveform"):
            diagram = timing.of_simulation(path)
            files += _save_files(path, root)
    return Card(
        title_of(part), line["name"], detail, command,
        message=message, files=files, diagram=diagram,
    )  # fmt: skip


def _check(records: Records, line: Line, root: Path | None) -> Card:
    checks: list[dict[str, Any]] = (records["lint"] or {}).get("checks", [])
    check = next((one for one in checks if [one["check"]] == list(line.get("key") or ())), {})
    message = check.get("message", "")
    return Card("Linted", line["name"], line["detail"], "nox -s lint", message=message)


def _netlist(records: Records, line: Line, root: Path | None) -> Card:
    key = list(line.get("key") or ())
    if len(key) != 4:
        return _plain("mapped", line)
    config, lanes, _, planted = key
    verdicts: list[dict[str, Any]] = (records["ports"] or {}).get("verdicts", [])
    named = (
        [one["config"], str(one["lanes"]), one["device"], str(bool(one["bug"]))] for one in verdicts
    )
    one = next((one for one, name in zip(verdicts, named, strict=True) if name == key), {})
    command = "python -m synth ports" + (" --bug" if planted == "True" else "")
    if planted != "True":
        command += f" --config {shlex.quote(config)} --lanes {lanes}"
    facts = [
        (finding["memory"], f"{finding['what']}: {finding['found']}, must be {finding['expected']}")
        for finding in one.get("findings", ())
    ]
    detail = line["detail"]
    if one:
        found, expected = one.get("cache_found"), one.get("cache_expected")
        detail = f"{len(facts)} findings; {found} RAMs hold the cache, must be {expected}"
    sentence = (
        "A planted second reader of a cache bank is found, as copies of its RAM."
        if planted == "True"
        else "The synthesised netlist has the memories that the design declares, and no copies."
    )
    return Card("Mapped", line["name"], detail, command, sentence=sentence, facts=facts)


def _swept(records: Records, line: Line, root: Path | None) -> Card:
    sweep = records["sweep"] or {}
    results = sweep.get("results", ())
    result = next((one for one in results if [one["id"]] == list(line.get("key") or ())), None)
    if result is None:
        return _plain("swept", line)
    facts = sorted((str(name), str(value)) for name, value in (result["red"] or {}).items())
    command = f"nox -s sweep -- {result['id']} --seed {sweep.get('seed')}"
    sentence = f"Claimed for {result.get('claimed_for', 'random shapes')}."
    return Card("Swept", result["id"], result["detail"], command, sentence=sentence, facts=facts)
