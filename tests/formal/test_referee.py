"""Tests our own engines on random toys against abc and against a model in Python.

The model in Python shares nothing with the engines, not even yosys.
"""

import contextlib
import itertools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory

from formal.engines import certificate, explore, graph, l2s, miter, paths
from formal.engines.aiger import Aiger
from formal.engines.outcome import Job
from formal.engines.programs.launch import abc_program
from tests.formal import as_safety, drawn

TOYS = {seed: drawn.toy(seed) for seed in range(100)}


def job(text: str, line: str = "") -> Job:
    return Job(text, "prove", line, 0, 60)


@pytest.fixture(scope="module")
def answers(build):
    """The violated properties of each toy according to `explore` and abc."""
    ours, commands, questions = {}, [], []
    for seed, toy in TOYS.items():
        own = build / f"toy{seed}" / "proof"
        try:
            ours[seed] = explore.run(job(toy.text()), own, certify=True)
        except ValueError as error:
            ours[seed] = str(error)
            continue
        for name, file in as_safety.questions(Aiger.read(own / "model.aig")):
            path = own / f"{len(questions)}.aig"
            file.write(path)
            questions.append((seed, name))
            commands.append(f"read_aiger {path}; pdr")
    script = build / "script"
    script.write_text("\n".join([*commands, ""]))
    output = subprocess.run([abc_program(), "-f", script], capture_output=True, text=True).stdout
    verdicts = re.findall(r"(Property proved|was asserted in frame)", output)
    assert len(verdicts) == len(questions), output
    theirs: dict[int, set[str]] = {seed: set() for seed, _ in questions}
    for (seed, name), verdict in zip(questions, verdicts, strict=True):
        if verdict == "was asserted in frame":
            theirs[seed].add(name.split("#")[0])
    return ours, theirs, {seed: build / f"toy{seed}" / "proof" for seed in TOYS}


def test_all_agree(answers):
    ours, theirs, _ = answers
    kinds = set()
    for seed, toy in TOYS.items():
        truth = toy.broken() | toy.unanswered()
        answer = ours[seed]
        if isinstance(answer, str):
            # It is refused: yosys has found that the valid qualifier is not a register.
            assert toy.held and "valid qualifier" in answer, seed
            continue
        assert answer.status in ("PASS", "FAIL"), seed
        if toy.held is None:
            assert set(answer.named) <= theirs[seed], seed
            assert bool(answer.named) == bool(theirs[seed]), seed
        else:
            # An unqualified register is unknown to us, but has a single value in abc.
            assert not theirs[seed] or answer.named, seed
        if toy.held is None and toy.cut is None:
            assert theirs[seed] == truth, seed
            kinds.add((bool(truth), bool(toy.live)))
        else:
            assert not truth or answer.named, seed
    # There are some of each kind.
    assert len(kinds) == 4


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    """Toys have few states."""
    monkeypatch.setattr(certificate, "_BATCH", 64)


def _proofs(answers) -> Iterator[tuple[int, dict[str, Any]]]:
    """The arguments of `certificate.check` for each toy whose claim holds."""
    ours, _, folders = answers
    for seed, folder in folders.items():
        if not isinstance(ours[seed], str) and ours[seed].status == "PASS":
            yield seed, certificate.read(folder)


def test_every_proof_is_certified(answers):
    proofs = list(_proofs(answers))
    assert len(proofs) > 40
    for seed, proof in proofs:
        assert certificate.check(**proof) == [], seed


def test_a_certificate_that_lacks_a_state_is_refused(answers):
    for seed, proof in _proofs(answers):
        count = len(proof["rows"])
        for lost in {0, count // 2, count - 1}:
            fewer = {name: np.delete(proof[name], lost, 0) for name in ("rows", "tried")}
            orders = proof["numbers"].reshape(-1, count)
            fewer["numbers"] = np.delete(orders, lost, 1).reshape(-1)
            with pytest.raises(ValueError) if count == 1 else contextlib.nullcontext():
                wrong = certificate.check(**proof | fewer)
                assert any(sentence.endswith("is missing") for sentence in wrong), seed


def test_inputs_that_matter_are_not_left_out(answers):
    caught = 0
    for _, proof in _proofs(answers):
        if proof["tried"].any():
            wrong = certificate.check(**proof | {"tried": np.zeros_like(proof["tried"])})
            caught += bool(wrong)
            assert certificate.check(**proof | {"tried": proof["tried"] | 1}) == []
    assert caught > 25


def test_a_claim_that_does_not_hold_is_not_certified(answers):
    opposite = unfair = unordered = 0
    for _, proof in _proofs(answers):
        file = proof["file"]
        wrong = [(name, literal ^ 1) for name, literal in file.bad]
        violated = certificate.check(**proof | {"file": replace(file, bad=wrong)})
        opposite += violated == ["c0"]
        if file.justice:
            # Without fairness; and with the same rank for every state.
            unfair += bool(certificate.check(**proof | {"file": replace(file, fairness=[])}))
            same = np.zeros_like(proof["numbers"])
            unordered += bool(certificate.check(**proof | {"numbers": same}))
            risen = np.tile(
                np.arange(len(proof["rows"]), dtype=np.uint32), same.size // len(proof["rows"])
            )
            unordered += bool(certificate.check(**proof | {"numbers": risen}))
    assert opposite > 10 and unfair > 2 and unordered > 5


def test_where_there_is_no_path_there_is_no_influence(tmp_path):
    answers = set()
    for seed, toy in list(TOYS.items())[:30]:
        if toy.cut is not None or toy.held:
            continue
        last = toy.first_gate + len(toy.gates) - 1
        text = toy.text({"apart_from_x": toy.first_register, "apart_to_x": last})
        for line, registers in (("within a cycle", False), ("through registers", True)):
            status = miter.run(job(text, line), tmp_path).status
            in_cone = toy.first_register in toy.cone(last, registers=registers)
            assert status == "PASS" or (status == "FAIL" and in_cone), (seed, line)
            answers.add((status, in_cone, registers))
    # And in most cases where one exists.
    assert {("PASS", False, False), ("FAIL", True, False), ("FAIL", True, True)} <= answers


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("line", ["within a cycle", "through registers"])
@pytest.mark.parametrize("written", [False, True])
def test_words_that_a_memory_does_not_have_are_no_influence(tmp_path, depth, line, written):
    m = Module()
    x, y, shown = Signal(4), Signal(4), Signal(4)
    m.submodules.words = words = Memory(shape=4, depth=depth, init=[])
    write, read = words.write_port(), words.read_port(domain="comb")
    address = Signal(2)
    m.d.sync += address.eq(y)
    m.d.comb += [read.addr.eq(address), shown.eq(read.data)]
    m.d.comb += [write.en.eq(1), write.addr.eq(y), write.data.eq(x if written else y)]
    m.d.comb += (from_x := Signal(4)).eq(x)
    ports = {"x": (x, None), "y": (y, None), "apart_from_x": (from_x, None)}
    text = rtlil.convert(m, ports=ports | {"apart_to_x": (shown, None)}, emit_src=False)
    status = miter.run(job(text, line), tmp_path).status
    assert status == ("FAIL" if written and line == "through registers" else "PASS")


def test_l2s_takes_nothing_for_a_zero(tmp_path):
    answers = set()
    for seed, toy in TOYS.items():
        if toy.live and not (toy.loop or toy.suppositions or toy.held) and toy.cut is None:
            with contextlib.suppress(ValueError):
                status = l2s.run(job(toy.text()), tmp_path).status
                assert status == "ERROR" or (status == "FAIL") == bool(toy.unanswered()), seed
                answers.add(status)
    assert answers == {"PASS", "FAIL", "ERROR"}


ONE = {"WIDTH": 1, "CLK_POLARITY": 1}
#: Cells between `d` and `e`, and `q`, with the pins that follow `e`.
CORNERS = {
    "clock": drawn.cell("dff", "c", ONE, {"CLK": "\\clk", "D": "\\e", "Q": "\\q"}),
    "derived clock": drawn.cell("dff", "c", ONE, {"CLK": "\\e", "D": "\\d", "Q": "\\q"}),
    "falling clock": drawn.cell(
        "dff", "c", ONE | {"CLK_POLARITY": 0}, {"CLK": "\\clk", "D": "\\e", "Q": "\\q"}
    ),
    "asynchronous reset": drawn.cell(
        "adff",
        "c",
        ONE | {"ARST_POLARITY": 1, "ARST_VALUE": "1'0"},
        {"CLK": "\\clk", "D": "\\d", "Q": "\\q", "ARST": "\\e"},
    ),
    "asynchronous load": drawn.cell(
        "aldff",
        "c",
        ONE | {"ALOAD_POLARITY": 1},
        {"CLK": "\\clk", "D": "\\d", "Q": "\\q", "ALOAD": "1'1", "AD": "\\e"},
    ),
    "set and reset": drawn.cell(
        "dffsr",
        "c",
        ONE | {"SET_POLARITY": 1, "CLR_POLARITY": 1},
        {"CLK": "\\clk", "D": "\\d", "Q": "\\q", "SET": "\\e", "CLR": "\\d"},
    ),
    "latch": drawn.cell(
        "dlatch", "c", {"WIDTH": 1, "EN_POLARITY": 1}, {"D": "\\d", "EN": "\\e", "Q": "\\q"}
    ),
    "register of any clock": drawn.cell("ff", "c", {"WIDTH": 1}, {"D": "\\e", "Q": "\\q"}),
    "unknown cell": ["cell \\strange \\c", "connect \\D \\e", "connect \\Q \\q", "end"],
    "two drivers": [
        line
        for pin in "de"
        for line in drawn.cell("dff", pin, ONE, {"CLK": "\\clk", "D": f"\\{pin}", "Q": "\\q"})
    ],
    "a loop": drawn.cell(
        "mux", "c", {"WIDTH": 1}, {"A": "\\e", "B": "\\q", "S": "\\d", "Y": "\\q"}
    ),
    "nobody": [],
}


def corner(name: str) -> str:
    """A netlist in which `q` is high again in the cycle after it was, or else `e` was low."""
    other = drawn.cell("dff", "o", ONE, {"CLK": "\\clk", "D": "\\q", "Q": "\\was"})
    either = drawn.cell(
        "mux", "either", {"WIDTH": 1}, {"A": "1'1", "B": "\\q", "S": "\\was", "Y": "\\again"}
    )
    ends = ["apart_from_x", "apart_to_x", "reaches_from_y", "reaches_to_y"]
    return "\n".join(
        [
            "module \\top",
            *(f"wire input {n} \\{port}" for n, port in enumerate(("clk", "d", "e"), 1)),
            *(f"wire \\{wire}" for wire in ("again",)),
            "attribute \\init 1'0",
            "wire \\was",
            "attribute \\init 1'0",
            "wire \\q",
            *(f"wire output {n} \\{port}" for n, port in enumerate(ends, 4)),
            *(f"connect \\{end} \\{'q' if '_to_' in end else 'e'}" for end in ends),
            *CORNERS[name],
            *other,
            *either,
            *drawn.cell("assert", "t.assert_again", {}, {"A": "\\again", "EN": "1'1"}),
            "end",
            "",
        ]
    )


@pytest.mark.parametrize("name", CORNERS)
def test_explore_passes_nothing_that_it_does_not_know(name, build):
    try:
        status = explore.run(job(corner(name)), build / "corner" / "proof").status
    except ValueError as error:
        status = str(error)
    if name in ("clock", "nobody"):
        assert status == "FAIL"
    else:
        assert status not in ("PASS", "FAIL"), status


@pytest.mark.parametrize("name", CORNERS)
def test_the_graph_has_every_way_or_is_refused(name, tmp_path):
    wires, cone = (
        _paths(job(corner(name), line), tmp_path)
        for line in ("within a cycle", "through registers")
    )
    if name in ("register of any clock", "unknown cell", "two drivers", "nobody"):
        assert wires == cone == "ERROR"
    else:
        assert cone == "FAIL"
        assert wires == ("PASS" if name in ("clock", "falling clock") else "FAIL")


def _paths(job: Job, folder: Path) -> str:
    try:
        return paths.run(job, folder).status
    except ValueError:
        return "ERROR"


def test_the_graph_has_the_paths_that_there_are(tmp_path):
    answers = set()
    for seed, toy in list(TOYS.items())[:50]:
        nodes = range(2, toy.first_gate + len(toy.gates))
        graph.synthesise(toy.text({f"n_{node}": node for node in nodes}), tmp_path, 60)
        known = graph.Graph.read(tmp_path / "graph.json")
        undriven = set(range(2 + toy.inputs, toy.first_register))
        for sink, source, registers in itertools.product(nodes, nodes, (False, True)):
            cone = toy.cone(sink, registers=registers)
            ends = [set(known.ports[f"n_{node}"]) for node in (source, sink)]
            try:
                answer = known.path(*ends, registers=registers) is not None
                assert answer == (source in cone), (seed, source, sink, registers)
                assert answer or not cone & undriven, (seed, source, sink, registers)
            except ValueError:
                answer = None
                assert cone & undriven, (seed, source, sink, registers)
            answers.add((answer, registers))
    assert len(answers) == 6
