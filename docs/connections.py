"""What the decoder's elaborated top level connects: (part, part, bits of data)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Fragment, Value
from amaranth.hdl._ast import Assign, Switch
from amaranth.lib import stream
from amaranth.lib.wiring import Signature

from design.decoder import Decoder

#: Bits from which a plain port counts as data; narrower ones are control.
DATA_BITS = 12
#: Ports that are not drawn: observation, and the multipliers beside the array.
APART = ("trace", "requests", "products", "macs", "cycles")


@dataclass(frozen=True)
class Port:
    """A port of a `part`; a stream of the decoder itself is a part of that name."""

    part: str
    name: str
    bits: int
    is_payload: bool


@dataclass(frozen=True)
class Connection:
    """`source` sends `bits` of data to `target`; with 0 bits, it only starts it."""

    source: str
    target: str
    bits: int


def connections(decoder: Decoder) -> list[Connection]:
    """Every connection of two parts by data, and each start of a part by another."""
    ports: dict[int, Port] = {}
    for name, part in decoder.parts.items():
        ports |= _ports(name, part.signature, part)
    host = _ports("", decoder.signature, decoder)
    ports |= {key: port for key, port in host.items() if port.part not in APART}
    drivers = _drivers(Fragment.get(decoder, None))

    def sources(signal: int, seen: set[int]) -> Iterator[Port]:
        """The ports that drive a signal, through signals of the decoder itself."""
        for key in drivers[signal] - seen:
            seen.add(key)
            if key in ports:
                yield ports[key]
            else:
                yield from sources(key, seen)

    bits: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(dict)
    for key, target in ports.items():
        for source in sources(key, {key}):
            carried = _carried(source, target)
            if source.part != target.part and carried is not None:
                bits[source.part, target.part][source.name, target.name] = carried
    # Parts in their order, then streams; what a signal comes from is a set, in no order.
    order = {name: n for n, name in enumerate((*decoder.parts, *decoder.signature.members))}
    return [
        # A port that feeds several others is one bundle.
        Connection(*pair, sum({source: n for (source, _), n in by.items()}.values()))
        for pair, by in sorted(bits.items(), key=lambda each: [order[name] for name in each[0]])
    ]


def _ports(part: str, signature: Signature, component: Any) -> dict[int, Port]:
    """The ports of a component by the identity of their signals."""
    ports = {}
    for path, _, value in signature.flatten(component):
        stream_of = signature.members[path[0]]
        is_stream = stream_of.is_signature and isinstance(stream_of.signature, stream.Signature)
        name, field = str(path[0]), str(path[-1])
        for signal in Value.cast(value)._rhs_signals():
            is_payload = field in ("payload", "p")
            owner = part or (name if is_stream else "host")
            ports[id(signal)] = Port(owner, ".".join(map(str, path)), len(signal), is_payload)
    return ports


def _carried(source: Port, target: Port) -> int | None:
    """The bits of data between two ports, 0 for a start, None for what is not drawn."""
    if {source.name.partition(".")[0], target.name.partition(".")[0]} & set(APART):
        return None
    bits = min(source.bits, target.bits)
    if (source.is_payload and target.is_payload and bits) or bits >= DATA_BITS:
        return bits
    return 0 if target.name == "start" else None


def _drivers(top: Fragment) -> dict[int, set[int]]:
    """The signals that each signal is assigned from, or under the condition of."""
    drivers: dict[int, set[int]] = defaultdict(set)

    def walk(statements: Any, conditions: set[int]) -> None:
        for statement in statements:
            if isinstance(statement, Assign):
                read = {id(signal) for signal in statement.rhs._rhs_signals()} | conditions
                for signal in statement.lhs._lhs_signals():
                    drivers[id(signal)] |= read
            elif isinstance(statement, Switch):
                tested = {id(signal) for signal in statement.test._rhs_signals()}
                for case in statement.cases:
                    walk(case[1], conditions | tested)

    for statements in top.statements.values():
        walk(statements, set())
    return drivers
