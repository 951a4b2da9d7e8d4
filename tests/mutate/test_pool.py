"""The pool: names, what is mutated and what is not, the sample."""

import ast
import dataclasses
from collections import Counter

import pytest

from mutate import pool
from mutate.operators import OPERATORS
from tools.changes import changed_functions
from tools.errors import BadInput
from tools.sources import ROOT

ALL = pool.pool()
SAMPLE = pool.sample(ALL, 200, seed=0)


def of(source: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """(operator, before, after) of every mutant of a source."""
    monkeypatch.setattr(pool, "_content", lambda path: source.encode())
    changes = [(mutant, pool.change(mutant)) for mutant in pool.mutants("spec/x.py")]
    return [(mutant.operator, change.before, change.after) for mutant, change in changes]


def test_the_pool_is_large_and_its_names_are_unique():
    assert len(ALL) >= 1500
    assert len({mutant.name for mutant in ALL}) == len(ALL)
    assert {mutant.path.partition("/")[0] for mutant in ALL} == set(pool.ROOMS)


def test_every_operator_has_mutants():
    assert {mutant.operator for mutant in ALL} == set(OPERATORS)


def test_a_mutant_is_found_by_its_name():
    for mutant in SAMPLE[::20]:
        assert pool.named(mutant.name) == mutant


@pytest.mark.parametrize(
    "name",
    [
        "", "design", "design/none.py:-:constant:0", "tools/cli.py:-:constant:0",
        "design/../tools/cli.py:-:constant:0", "design/rope.py:Rope.elaborate:rounding:99",
    ],
)  # fmt: skip
def test_an_unknown_name_is_bad_input(name: str):
    with pytest.raises(BadInput, match="is not in the pool"):
        pool.named(name)


@pytest.mark.parametrize("room", pool.ROOMS)
def test_every_mutant_parses_and_differs(room: str):
    mutants = [mutant for mutant in ALL if mutant.path.startswith(f"{room}/")]
    for mutant in pool.sample(mutants, 150, seed=1):
        change = pool.change(mutant)
        original = (ROOT / mutant.path).read_bytes()
        assert ast.dump(ast.parse(change.content)) != ast.dump(ast.parse(original)), mutant.name
        first, last = change.statement
        assert first <= change.line <= last, mutant.name


def test_only_the_place_of_the_change_differs():
    for mutant in SAMPLE[::10]:
        change = pool.change(mutant)
        lines = (ROOT / mutant.path).read_text("utf-8").splitlines()
        changed = change.content.decode().splitlines()
        assert changed[: change.line - 1] == lines[: change.line - 1]
        behind = len(lines) - change.end_line
        assert changed[len(changed) - behind :] == lines[change.end_line :]


def test_a_name_stays_when_another_function_changes(monkeypatch):
    before = "def f(a):\n    return a + 1\n"
    behind = "def g(a):\n    return a - 2\n\n\n" + before
    changes = {}
    for source in (before, behind):
        monkeypatch.setattr(pool, "_content", lambda path, source=source: source.encode())
        named = [mutant for mutant in pool.mutants("spec/x.py") if mutant.function == "f"]
        texts = [(change.before, change.after) for change in map(pool.change, named)]
        changes[source] = dict(zip((mutant.name for mutant in named), texts, strict=True))
    assert changes[before] and changes[before] == changes[behind]


def test_what_is_only_said_has_no_mutants(monkeypatch):
    source = '''
"""Two 2."""
from x import y
Limits = int | float


def f(a: int | None = 3) -> int | None:
    """Three 3."""
    assert a > 4, "five"
    b: int | None
    raise ValueError(f"{a + 6}")
'''
    assert not of(source, monkeypatch)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ("comparison", "a < b", "(a <= b)")),
        ("a < b", ("bound", "a < b", "(a < b + 1)")),
        ("f(a - b)", ("swap", "a - b", "(b - a)")),
        ("f(a - b)", ("operand", "a - b", "a")),
        ("f(~a)", ("negation", "~a", "a")),
        ("f(a and b)", ("negation", "a and b", "(a or b)")),
        ("f(7)", ("constant", "7", "8")),
        ("f(0.5)", ("constant", "0.5", "1.0")),
        ("m.d.sync += [a, b]", ("statement", "m.d.sync += [a, b]", "m.d.sync += [b]")),
        ("m.next = 'RUN'", ("statement", "m.next = 'RUN'", "pass")),
        ("x.valid.eq(a)", ("enable", "x.valid.eq(a)", "x.valid.eq(0)")),
        ("x = Signal(init=1)", ("initial", "init=1", "init=0")),
        ("x = Signal()", ("initial", "Signal()", "Signal(init=1)")),
        ("x = signed(n)", ("width", "signed(n)", "signed(n - 1)")),
        ("x = y[1:n]", ("slice", "y[1:n]", "y[1:n - 1]")),
        ("x = tuple(y)", ("entry", "tuple(y)",
         "tuple([entry + (number == 1) for number, entry in enumerate(y)])")),
        ("p(transparent_for=(w,))", ("port", "transparent_for=(w,)", "transparent_for=()")),
        ("f(Rounding.HALF_UP)", ("rounding", "Rounding.HALF_UP", "Rounding.HALF_EVEN")),
        ("with m.If(a):\n    pass",
         ("condition", "m.If(a)", "m.If(Value.cast(a) == 0)")),
        ("with m.If(a):\n    pass\nwith m.Elif(b):\n    pass",
         ("priority", "with m.If(a):\n    pass\nwith m.Elif(b):\n    pass",
          "with m.If(b):\n    pass\nwith m.Elif(a):\n    pass")),
    ],
)  # fmt: skip
def test_an_operator_makes_its_mistake(monkeypatch, source, expected):
    assert expected in of(source, monkeypatch)


def test_the_sample_depends_on_the_seed_alone():
    assert pool.sample(ALL[::-1], 200, seed=0) == SAMPLE
    assert pool.sample(ALL, 200, seed=1) != SAMPLE
    assert len(set(SAMPLE)) == len(SAMPLE) == 200


def test_the_sample_draws_from_every_stratum_before_it_draws_a_second():
    strata = {(mutant.path, mutant.operator) for mutant in ALL}
    drawn = Counter((mutant.path, mutant.operator) for mutant in pool.sample(ALL, 400, seed=2))
    assert len(strata) > 400 and set(drawn.values()) == {1}
    assert pool.sample(ALL[:5], 9, seed=0) == sorted(ALL[:5])


def test_mutants_of_the_changed_functions():
    chosen = pool.in_changed(ALL, {"design/rope.py": frozenset({"Rope.elaborate", "gone"})})
    assert {(m.path, m.function) for m in chosen} == {("design/rope.py", "Rope.elaborate")}
    assert not pool.in_changed(ALL, {})


def test_functions_have_the_names_that_changes_have():
    content = (ROOT / "design/rope.py").read_text()
    changed = changed_functions("", content)
    assert {mutant.function for mutant in ALL if mutant.path == "design/rope.py"} <= changed


def test_a_mutant_that_is_gone_is_bad_input():
    with pytest.raises(BadInput, match="is not in the pool"):
        pool.change(dataclasses.replace(SAMPLE[0], which=999))
