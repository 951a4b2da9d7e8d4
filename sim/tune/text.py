"""Taking apart expressions of the C++ that CXXRTL writes."""


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
