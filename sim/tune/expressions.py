"""Simplifies expressions of CXXRTL that compilers do not optimise well.

CXXRTL writes a sign extension as a concatenation with a repeated bit, membership in a set of
numbers as one comparison for each, and conditions as bits that are all computed before the first
is tested.
"""

import re

from sim.tune.guards import arguments

_NAME = r"[\w.]+|vd_exact<\d+>\(vd_array_\d+\[[\d +n]+\]\)"
_OPERAND = rf"(?:{_NAME})(?:\.slice<[\d,]+>\(\)\.val\(\))?"
_SIGN = re.compile(
    rf"({_NAME})\.slice<(\d+)>\(\)\.val\(\)\.repeat<(\d+)>\(\)"
    r"\.concat\(\1(?:\.slice<\2(,\d+)>\(\))?\)"
)
_EQUAL = rf"(?:eq_uu<1>\({_OPERAND}, value<\d+>\{{\w+\}}\)|logic_not<1>\({_OPERAND}\))"
_AMONG = re.compile(rf"reduce_or<1>\(({_EQUAL}(?:\.concat\({_EQUAL}\))+)\.val\(\)\)")
_ONE = re.compile(rf"eq_uu<1>\(({_OPERAND}), value<\d+>\{{(\w+)u\}}\)|logic_not<1>\(({_OPERAND})\)")
_IF = re.compile(r"^(\t*(?:\} else )?if \()(.*)(\) \{)$", re.MULTILINE)
_CALL = re.compile(r"(and_uu|or_uu|not_u|logic_not|reduce_or|reduce_bool|value)<1>\(")


def shorten(text: str) -> str:
    """The same statements with shorter expressions."""
    text = _SIGN.sub(r"vd_extend<\3,\2\4>(\1)", text)
    text = _AMONG.sub(_among, text)
    return _IF.sub(lambda match: f"{match[1]}{short_circuit(match[2])}{match[3]}", text)


def _among(match: re.Match[str]) -> str:
    """A bit of a constant, if all comparisons have the same operand."""
    tests = _ONE.findall(match[1])
    operands = {equal or zero for equal, _, zero in tests}
    numbers = {int(number or "0", 16) for _, number, _ in tests}
    if len(operands) > 1 or max(numbers) > 63:
        return match[0]
    return f"vd_among<{sum(1 << number for number in numbers):#x}u>({operands.pop()})"


def short_circuit(condition: str) -> str:
    """The condition with the short-circuit operators of C++."""
    inner = condition.removeprefix("!bool(").removesuffix(")")
    if condition == f"!bool({inner})" and _call(inner):
        return f"!{_truth(inner)}"
    return _truth(condition) if _call(condition) else condition


def _call(text: str) -> tuple[str, str] | None:
    """Function and arguments, if `text` is a single call that computes a bit from bits."""
    match = _CALL.match(text)
    if not match or _closing(text, match.end() - 1) != len(text) - 1:
        return None
    return match[1], text[match.end() : -1]


def _truth(text: str) -> str:
    """A C++ bool: whether the lowest bit of `text` is set."""
    match _call(text):
        case "and_uu" | "or_uu" as name, inside:
            sign = " && " if name == "and_uu" else " || "
            return f"({sign.join(_truth(operand.strip()) for operand in arguments(inside))})"
        case "not_u", inside:
            return f"!{_truth(inside)}"
        case "value", inside:
            return _truth(inside)
        case "logic_not", inside:
            return f"!{_any(inside)}"
        case _, inside:
            return _any(inside)
    return f"vd_bit({text})"


def _any(text: str) -> str:
    """A C++ bool: whether any bit of `text` is set."""
    parts = _joined(text)
    tests = (_truth(part) if _call(part) else f"bool({part}.val())" for part in parts)
    return f"({' || '.join(tests)})"


def _joined(text: str) -> list[str]:
    """The parts of a concatenation, in order."""
    parts: list[str] = []
    rest = text.removesuffix(".val()")
    while rest.endswith(")"):
        begin = _opening(rest)
        if not rest[:begin].endswith(".concat"):
            break
        parts.insert(0, rest[begin + 1 : -1])
        rest = rest[:begin].removesuffix(".concat")
    return [rest, *parts] if parts else [text]


def _closing(text: str, begin: int) -> int:
    """The index of the bracket that closes the one at `begin`."""
    depth = 0
    for n in range(begin, len(text)):
        depth += (text[n] == "(") - (text[n] == ")")
        if depth == 0:
            return n
    return -1


def _opening(text: str) -> int:
    """The index of the bracket that is closed by the last character."""
    return len(text) - 1 - _closing(text[::-1].translate(str.maketrans("()", ")(")), 0)
