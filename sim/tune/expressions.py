"""Says in fewer words what CXXRTL writes at length, as compilers do not see through all of it.

Sign extension comes as a bit, repeated, beside the others; a choice among numbers as one
comparison for each; and conditions as bits, all of which are computed before one is looked at.
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
    """Statements that compute the same."""
    text = _SIGN.sub(r"vd_extend<\3,\2\4>(\1)", text)
    text = _AMONG.sub(_among, text)
    return _IF.sub(lambda found: f"{found[1]}{short_circuit(found[2])}{found[3]}", text)


def _among(found: re.Match[str]) -> str:
    """One bit of a constant, if all comparisons are of one operand."""
    tests = _ONE.findall(found[1])
    operands = {equal or zero for equal, _, zero in tests}
    numbers = {int(number or "0", 16) for _, number, _ in tests}
    if len(operands) > 1 or max(numbers) > 63:
        return found[0]
    return f"vd_among<{sum(1 << number for number in numbers):#x}u>({operands.pop()})"


def short_circuit(condition: str) -> str:
    """A condition in C++ that looks no further than it needs to."""
    inner = condition.removeprefix("!bool(").removesuffix(")")
    if condition == f"!bool({inner})" and _call(inner):
        return f"!{_truth(inner)}"
    return _truth(condition) if _call(condition) else condition


def _call(text: str) -> tuple[str, str] | None:
    """Function and arguments, if `text` is one call that makes a bit of bits."""
    found = _CALL.match(text)
    if not found or _closing(text, found.end() - 1) != len(text) - 1:
        return None
    return found[1], text[found.end() : -1]


def _truth(text: str) -> str:
    """Whether the lowest bit of `text` is set, as a bool of C++."""
    match _call(text):
        case "and_uu" | "or_uu" as name, inside:
            sign = " && " if name == "and_uu" else " || "
            return f"({sign.join(_truth(each.strip()) for each in arguments(inside))})"
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
    """Whether any bit of `text` is set, as a bool of C++."""
    parts = _joined(text)
    tests = (_truth(part) if _call(part) else f"bool({part}.val())" for part in parts)
    return f"({' || '.join(tests)})"


def _joined(text: str) -> list[str]:
    """The parts of a concatenation, the first one first."""
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
    """Where the bracket closes that opens at `begin`."""
    depth = 0
    for n in range(begin, len(text)):
        depth += (text[n] == "(") - (text[n] == ")")
        if depth == 0:
            return n
    return -1


def _opening(text: str) -> int:
    """Where the bracket opens that closes at the end."""
    return len(text) - 1 - _closing(text[::-1].translate(str.maketrans("()", ")(")), 0)
