"""Taking apart expressions of the C++ that CXXRTL writes."""

import re

_CALL = re.compile(r"(and_uu|or_uu|not_u|value)<1>")
_IF = re.compile(r"^(\t*(?:\} else )?if \()(.*)(\) \{)$", re.MULTILINE)


def split(text: str, *separators: str) -> list[str]:
    """The parts of `text` between separators outside all brackets; [] if brackets do not match."""
    parts, depth, n = [""], 0, 0
    while n < len(text):
        separator = next((mark for mark in separators if text.startswith(mark, n)), None)
        if separator and depth == 0:
            parts.append("")
            n += len(separator)
            continue
        depth += (text[n] in "({[") - (text[n] in ")}]")
        if depth < 0:
            return []
        parts[-1] += text[n]
        n += 1
    return parts if depth == 0 else []


def inside(text: str) -> str | None:
    """What stands in the brackets around all of `text`, if there are such."""
    whole = text.startswith("(") and text.endswith(")") and split(text[1:-1])
    return text[1:-1] if whole else None


def ternary(text: str) -> tuple[str, str, str] | None:
    """The parts of `(condition ? then : other)`, or None for anything else."""
    parts = split(inside(text) or "", " ? ", " : ")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def short_circuit(text: str) -> str:
    """Conditions tested one by one, where CXXRTL computes all bits before it tests the last."""
    return _IF.sub(lambda match: f"{match[1]}{_tests(match[2])}{match[3]}", text)


def _tests(condition: str) -> str:
    negated = condition.startswith("!bool(") and inside(condition.removeprefix("!bool"))
    return f"!{truth(negated, 'bool')}" if negated else truth(condition, "")


def truth(text: str, test: str = "vd_bit") -> str:
    """A C++ bool: whether the lowest bit of `text` is set; `test` is called if it is no operator."""
    match = _CALL.match(text)
    operands = split(inside(text[match.end() :]) or "", ", ") if match else [""]
    if not match or not all(operands):
        return f"{test}({text})" if test else text
    tests = [truth(operand) for operand in operands]
    match match[1]:
        case "and_uu":
            return f"({' && '.join(tests)})"
        case "or_uu":
            return f"({' || '.join(tests)})"
        case "not_u":
            return f"!{tests[0]}"
    return tests[0]
