"""Planted bugs: the node is found in the syntax tree whatever its layout, or refused."""

import re

import pytest

from tools.planting import PlantedBug, mutated

#: The module in which these tests plant bugs.
TOY = """
def outside(a):
    return a + 1

class Toy:
    def first(self, a, b):
        if a > b:
            self.out(a)
            a = b
        self.out(
            a,
            b,
        )
        return a + 1

    def second(self, a):
        return [a + 1, a - 1]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Call a method of the class with the bug in it; returns its result and its outputs."""
    (tmp_path / "planted_toy.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)

    def run(method, *arguments, bug):
        code, _ = mutated(PlantedBug("toy", "planted_toy", *bug))
        names = {}
        exec(code, names)
        out = []
        toy = names["Toy"]()
        toy.out = lambda *values: out.append(values)
        return getattr(toy, method)(*arguments), out

    return run


@pytest.mark.parametrize(
    ("bug", "result", "out"),
    [
        (("Toy.first", "a + 1", "a + 2"), 3, [(2,), (1, 1)]),
        # The source has it on several lines.
        (("Toy.first", "self.out(a, b)", "self.out(b)"), 2, [(2,), (1,)]),
        # An expression statement becomes two, or none.
        (("Toy.first", "self.out(a)", "self.out(0)\nself.out(9)"), 2, [(0,), (9,), (1, 1)]),
        (("Toy.first", "a = b", ""), 3, [(2,), (2, 1)]),
        # Another condition, the same body.
        (("Toy.first", "if a > b: ...", "if a < b: ..."), 3, [(2, 1)]),
        (("Toy.first", "if a > b: ...", "self.out()\nif a > b: ..."), 2, [(), (2,), (1, 1)]),
    ],
)
def test_a_node_is_replaced(run, bug, result, out):
    assert run("first", 2, 1, bug=bug) == (result, out)


def test_an_element_may_become_several(run):
    bug = ("Toy.second", "a - 1", "*(a for _ in range(2))")
    assert run("second", 1, bug=bug) == ([2, 1, 1], [])


@pytest.mark.parametrize(
    ("bug", "message"),
    [
        (("", "a + 1", "a"), "`node` occurs at lines 3, 14, 17 in planted_toy"),
        (
            ("Toy.first", "a + b", "a"),
            r"`node` does not occur in planted_toy.Toy.first; nearest: .*:7: a > b",
        ),
        (("Toy.third", "a + 1", "a"), "`node` does not occur in planted_toy.Toy.third; nearest: "),
        (("Toy.first", "a\nb", "a"), "`node` is not one node"),
    ],
)
def test_a_node_that_does_not_occur_once_is_refused(run, bug, message):
    with pytest.raises(ValueError, match=message) as refused:
        run("first", 2, 1, bug=bug)
    assert re.match(r"planted bug 'toy' \(tests/tools/test_planting.py:\d+\): ", str(refused.value))
