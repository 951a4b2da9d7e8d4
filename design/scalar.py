"""The scalar multipliers beside the array, and how the units ask for them."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out

from spec.derived import SCALAR_BITS

#: What a unit asks of a scalar multiplier. All zero while it asks for nothing: requests are ORed.
request_layout = data.StructLayout(
    {"en": 1, "a": signed(SCALAR_BITS), "b": signed(SCALAR_BITS)},
)


def client_members(ports: int) -> dict[str, Member]:
    """Ports of a unit that asks for up to `ports` products a cycle.

    Its `multipliers` tell which of the decoder's three scalar multipliers each port is for; where
    there is only one, it serves all.

    `requests` : Out(ArrayLayout(request_layout, ports))
        What it asks for.
    `products` : In(ArrayLayout(signed(36), ports))
        What it gets, `ScalarMultiplier.latency` cycles later.
    """
    return {
        "requests": Out(data.ArrayLayout(request_layout, ports)),
        "products": In(data.ArrayLayout(signed(2 * SCALAR_BITS), ports)),
    }


def ask(request: data.View, a: Value | int, b: Value | int) -> list:
    """Statements that put one product on a request port in this cycle."""
    return [request.en.eq(1), request.a.eq(a), request.b.eq(b)]


class ScalarMultiplier(wiring.Component):
    """One multiplier behind `clients` request ports, of which at most one may ask in a cycle.

    The data flow of the decoder keeps the clients apart; `fault` says if it ever did not.

    Latency: 2 cycles (`latency`). Throughput: one product a cycle. Every request gets a register of
    its own: some come out of slow RAM, and would not get past the others within the same cycle.

    Members
    -------
    requests : In(ArrayLayout(request_layout, clients))
    product : Out(signed(36))
        Product of the operands asked for `latency` cycles ago.
    fault : Out(1)
        Two clients ask in this cycle.

    Inside (for proofs)
    -------------------
    a, b
        The operands asked for in the cycle before.
    """

    #: Operands, product.
    latency = 2

    def __init__(self, clients: int):
        self.clients = clients
        super().__init__(
            {
                "requests": In(data.ArrayLayout(request_layout, clients)),
                "product": Out(signed(2 * SCALAR_BITS)),
                "fault": Out(1),
            }
        )
        self.a = Signal(signed(SCALAR_BITS))
        self.b = Signal(signed(SCALAR_BITS))

    def elaborate(self, platform):
        m = Module()
        a, b = self.a, self.b
        either_a = either_b = C(0, SCALAR_BITS)
        any_before = C(0, 1)
        clash = C(0, 1)
        for number, request in enumerate(self.requests):
            held_a = Signal.like(a, name=f"a_{number}")
            held_b = Signal.like(b, name=f"b_{number}")
            m.d.sync += [held_a.eq(request.a), held_b.eq(request.b)]
            either_a = either_a | held_a
            either_b = either_b | held_b
            clash = clash | (any_before & request.en)
            any_before = any_before | request.en
        m.d.comb += [self.fault.eq(clash), a.eq(either_a), b.eq(either_b)]
        m.d.sync += self.product.eq(a * b)
        return m
