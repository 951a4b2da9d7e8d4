"""What waits inside a decoder that hangs, from the levels of its signals.

Which machines, streams and conditions there are comes from the design: the parts of the decoder,
the streams of their signatures, their FSMs, and what a unit declares as `waits_for`: a signal that
is high while it waits, with what it may wait for.
"""

import enum
import re
from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.hdl import Value
from amaranth.lib import stream
from amaranth.lib.wiring import In

#: The value of each signal, by the names of the modules around it and its own.
Levels = Mapping[tuple[str, ...], int]
_STATE = "fsm_state"
#: Yosys numbers a scope or a signal whose name another one has.
NUMBER = re.compile(r"\$\d+$")


def levels(text: str) -> Levels:
    """The levels that the driver prints: a name and a value in each line."""
    lines = (line.split("\t") for line in text.splitlines())
    return {
        tuple(NUMBER.sub("", part) for part in name.split(" ")): int(value) for name, value in lines
    }


def waiting(decoder: Any, levels: Levels) -> list[str]:
    """Sentences about `decoder`, which was elaborated: machines that are not in their first state,
    receivers that refuse what is offered, and what waiting units lack."""
    inside = {path[1:]: value for path, value in levels.items() if path[:1] == ("decoder",)}
    parts = decoder.parts.items()
    refusing = [line for name, part in parts for line in _refused(name, part, inside)]
    waits = [line for name, part in parts for line in lacking(name, part, inside)]
    return [*_machines(decoder, inside), *refusing, *waits]


def _machines(decoder: Any, levels: Levels) -> Iterator[str]:
    for path, code in levels.items():
        owner: Any = decoder
        for name in path[:-1]:
            owner = getattr(owner, name, None)
        fsm = getattr(owner, "fsm", None)
        if path[-1] == _STATE and fsm is not None and code != fsm.state.init:
            states = {number: str(state) for state, number in fsm.encoding.items()}
            yield f"{'.'.join(path[:-1])} is in state {states.get(code, code)}"


def _refused(name: str, part: Any, levels: Levels) -> Iterator[str]:
    """The streams into `part` whose beat waits."""
    for port, member in part.signature.members.items():
        signature = member.signature if member.is_signature else None
        if not isinstance(signature, stream.Signature) or member.flow is not In:
            continue
        valid, ready = (levels.get((name, f"{port}__{end}")) for end in ("valid", "ready"))
        if valid == 1 and ready == 0:
            yield f"{name}.{port}: valid high, ready low"


def lacking(name: str, part: Any, levels: Levels) -> Iterator[str]:
    """What `part` waits for, as it declares that, with the present values."""
    for flag, conditions in getattr(part, "waits_for", {}).items():
        if levels.get((name, flag)):
            shown = []
            for condition in conditions:
                signal, value = found(part, condition)
                if (name, signal) in levels:
                    shown.append(f"{condition} {_named(value, levels[name, signal])}")
            yield f"{name} {flag}: {', '.join(shown)}"


def found(part: Any, path: str) -> tuple[str, Any]:
    """What lies at a dotted path of attributes, and the name of the signal in a netlist."""
    first, *fields = path.split(".")
    value = getattr(part, first)
    name = Value.cast(value).name
    for field in fields:
        value = getattr(value, field)
    return ".".join([name, *fields]), value


def _named(value: Any, level: int) -> str:
    """The level, or the name of that member of an enum."""
    shape = value.shape()
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return shape(level).name
    return str(level)
