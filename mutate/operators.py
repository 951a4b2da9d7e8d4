"""Mutation operators: the small mistakes that can be made at a node of a syntax tree.

An operator is a generator of what may stand in the place of the node that it is given: an
expression, a keyword, or a list of statements. It never changes the node. Operators know Amaranth's
idioms (`m.If`, `m.d.sync +=`, `Mux`, `Signal`, memory ports) and plain Python, because `spec` and
`golden` are mutated by the same ones.
"""

import ast
import copy
import itertools
from collections.abc import Callable, Iterator

#: What stands in the place of a node.
Replacement = ast.expr | ast.keyword | list[ast.stmt]
Operator = Callable[[ast.AST], Iterator[Replacement]]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_ROUNDINGS = ("HALF_UP", "HALF_EVEN", "TRUNCATE")
_DROPPABLE = (ast.Add, ast.Sub, ast.BitAnd, ast.BitOr, ast.BitXor)
#: Last words of the names of one-bit control signals.
_ENABLES = ("en", "enable", "valid", "ready", "start", "done", "last", "first", "clear")
_ONE, _ZERO = ast.Constant(1), ast.Constant(0)


def _int(node: ast.AST | None) -> int | None:
    """The value of an integer literal."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def _callee(node: ast.AST) -> str:
    """The last name of what a call calls, or nothing."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def comparison(node: ast.AST) -> Iterator[Replacement]:
    """Another comparison: an open bound in place of a closed one, or the opposite."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _COMPARISONS.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [other()], node.comparators)


def bound(node: ast.AST) -> Iterator[Replacement]:
    """The right side of a comparison is one more, or one less."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        right = node.comparators[0]
        if isinstance(right, ast.Constant):
            return  # `constant` changes an integer; other literals are no numbers
        for operator in (ast.Add(), ast.Sub()):
            yield ast.Compare(node.left, node.ops, [ast.BinOp(right, operator, _ONE)])


def arithmetic(node: ast.AST) -> Iterator[Replacement]:
    """Another operation on the same operands."""
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)


def operand(node: ast.AST) -> Iterator[Replacement]:
    """One of two operands is dropped."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, _DROPPABLE):
        yield node.left
        yield node.right


def swap(node: ast.AST) -> Iterator[Replacement]:
    """The operands of a difference, or the branches of a choice, change places."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        yield ast.BinOp(node.right, node.op, node.left)
    if isinstance(node, ast.Call) and _callee(node) == "Mux" and len(node.args) == 3:
        condition, yes, no = node.args
        yield ast.Call(node.func, [condition, no, yes], node.keywords)
    if isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)


def negation(node: ast.AST) -> Iterator[Replacement]:
    """A negation is dropped, or a condition of Python is negated."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not | ast.USub):
        yield node.operand
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)


def constant(node: ast.AST) -> Iterator[Replacement]:
    """An integer is one more, or one less; a float is doubled, or 1 in place of 0."""
    value = _int(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(2 * node.value or 1.0)
    if value is not None:
        yield ast.Constant(value + 1)
        if value > 0:
            yield ast.Constant(value - 1)


def condition(node: ast.AST) -> Iterator[Replacement]:
    """A branch is always taken, never, or in the other case."""
    if isinstance(node, ast.Call) and _callee(node) in ("If", "Elif") and len(node.args) == 1:
        value = ast.Call(_expression("Value.cast"), node.args, [])
        for other in (_ONE, _ZERO, ast.Compare(value, [ast.Eq()], [_ZERO])):
            yield ast.Call(node.func, [other], [])


def enable(node: ast.AST) -> Iterator[Replacement]:
    """A control signal is stuck: an enable, a valid, a ready, a start."""
    if isinstance(node, ast.Call) and _callee(node) == "eq" and len(node.args) == 1:
        assert isinstance(node.func, ast.Attribute)
        target = node.func.value
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name.rpartition("_")[2] in _ENABLES:
            for stuck in (0, 1):
                if _int(node.args[0]) != stuck:
                    yield ast.Call(node.func, [ast.Constant(stuck)], [])


def statement(node: ast.AST) -> Iterator[Replacement]:
    """A statement is left out, or one of several that are added at once, or a change of state."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        if isinstance(node.value, ast.List) and len(node.value.elts) > 1:
            for left_out in range(len(node.value.elts)):
                kept = [entry for n, entry in enumerate(node.value.elts) if n != left_out]
                yield [ast.AugAssign(node.target, node.op, ast.List(kept, ast.Load()))]
        else:
            yield [ast.Pass()]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield [ast.Pass()]
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "m.next":
        yield [ast.Pass()]


class Branches(ast.AST):
    """An `If` and the `Elif` behind it, as if they were one statement."""

    _fields = ("body",)
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")

    def __init__(self, first: ast.stmt, second: ast.stmt):
        super().__init__()
        self.body = [first, second]
        self.lineno, self.col_offset = first.lineno, first.col_offset
        self.end_lineno, self.end_col_offset = second.end_lineno, second.end_col_offset


def branches(statements: list[ast.stmt]) -> Iterator[Branches]:
    """Every `If` or `Elif` in `statements` with the `Elif` behind it."""
    for first, second in itertools.pairwise(statements):
        call = _branch(second)
        if _branch(first) and call and _callee(call) == "Elif":
            yield Branches(first, second)


def priority(node: ast.AST) -> Iterator[Replacement]:
    """An `If` and the `Elif` behind it exchange their conditions."""
    if isinstance(node, Branches):
        changed = copy.deepcopy(node.body)
        first, second = map(_branch, changed)
        assert first and second
        first.args, second.args = second.args, first.args
        yield changed


def _branch(node: ast.stmt) -> ast.Call | None:
    """The call of `If` or `Elif` in ``with m.If(condition):``."""
    if isinstance(node, ast.With) and len(node.items) == 1:
        call = node.items[0].context_expr
        if isinstance(call, ast.Call) and _callee(call) in ("If", "Elif"):
            return call
    return None


def initial(node: ast.AST) -> Iterator[Replacement]:
    """A register begins with another value."""
    if isinstance(node, ast.keyword) and node.arg == "init":
        value = _int(node.value)
        if value is not None:
            yield ast.keyword("init", ast.Constant(int(value == 0)))
    elif isinstance(node, ast.Call) and _callee(node) == "Signal" and not node.args:
        given = [keyword.arg for keyword in node.keywords]
        if "init" not in given:
            yield ast.Call(node.func, [], [*node.keywords, ast.keyword("init", _ONE)])


def entry(node: ast.AST) -> Iterator[Replacement]:
    """One entry of a table, or one word of a memory, is one more."""
    if isinstance(node, ast.Call) and _callee(node) == "tuple" and len(node.args) == 1:
        yield ast.Call(node.func, [_one_off(node.args[0])], [])
    if isinstance(node, ast.keyword) and node.arg == "init" and _int(node.value) is None:
        empty = isinstance(node.value, ast.List) and not node.value.elts
        if not empty:
            yield ast.keyword("init", _one_off(node.value))


def _one_off(entries: ast.expr) -> ast.expr:
    changed = _expression("[entry + (number == 1) for number, entry in enumerate(entries)]")
    assert isinstance(changed, ast.ListComp)
    changed.generators[0].iter = ast.Call(_expression("enumerate"), [entries], [])
    return changed


def slice_(node: ast.AST) -> Iterator[Replacement]:
    """A slice begins or ends one later or earlier."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        lower, upper, step = node.slice.lower, node.slice.upper, node.slice.step
        later = ast.BinOp(lower, ast.Add(), _ONE) if lower else _ONE
        yield ast.Subscript(node.value, ast.Slice(later, upper, step), node.ctx)
        if upper:
            earlier = ast.BinOp(upper, ast.Sub(), _ONE)
            yield ast.Subscript(node.value, ast.Slice(lower, earlier, step), node.ctx)


def width(node: ast.AST) -> Iterator[Replacement]:
    """A shape has one bit less, or a range ends one earlier."""
    if _callee(node) in ("signed", "unsigned", "range"):
        assert isinstance(node, ast.Call)
        if len(node.args) == 1 and not node.keywords:
            yield ast.Call(node.func, [ast.BinOp(node.args[0], ast.Sub(), _ONE)], [])


def port(node: ast.AST) -> Iterator[Replacement]:
    """A memory port is not transparent."""
    if isinstance(node, ast.keyword) and node.arg == "transparent_for":
        yield ast.keyword("transparent_for", ast.Tuple([], ast.Load()))


def rounding(node: ast.AST) -> Iterator[Replacement]:
    """Another rounding mode."""
    if not isinstance(node, ast.Attribute):
        return
    if isinstance(node.value, ast.Name) and node.value.id == "Rounding" and node.attr in _ROUNDINGS:
        for other in _ROUNDINGS:
            if other != node.attr:
                yield ast.Attribute(node.value, other, node.ctx)
    if node.attr == "rounding" and isinstance(node.ctx, ast.Load):
        yield _expression("__import__('spec.fixed').fixed.Rounding.TRUNCATE")


#: By name, in the order in which the mutants of a node are numbered.
OPERATORS: dict[str, Operator] = {
    "comparison": comparison,
    "bound": bound,
    "arithmetic": arithmetic,
    "operand": operand,
    "swap": swap,
    "negation": negation,
    "constant": constant,
    "condition": condition,
    "enable": enable,
    "statement": statement,
    "priority": priority,
    "initial": initial,
    "entry": entry,
    "slice": slice_,
    "width": width,
    "port": port,
    "rounding": rounding,
}
