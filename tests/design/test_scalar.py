"""The shared scalar multiplier: every product 2 cycles after its request, and clashes told."""

from hypothesis import given
from hypothesis import strategies as st

from design.scalar import ScalarMultiplier
from spec.derived import SCALAR_BITS
from tests.design.support import costly, expect, signed_bits, simulate

CLIENTS = 3
operand = signed_bits(SCALAR_BITS)
asked = st.tuples(st.integers(0, CLIENTS - 1), operand, operand)


@costly
@given(st.lists(st.none() | asked, min_size=1, max_size=40))
def test_products_in_order(requests):
    dut = ScalarMultiplier(CLIENTS)

    async def testbench(ctx):
        expected: list[int | None] = [None] * dut.latency
        for request in [*requests, *[None] * dut.latency]:
            for client, port in enumerate(dut.requests):
                asks = request is not None and request[0] == client
                ctx.set(port.en, asks)
                ctx.set(port.a, request[1] if asks else 0)
                ctx.set(port.b, request[2] if asks else 0)
            expect(ctx, dut.fault, 0)
            expected.append(None if request is None else request[1] * request[2])
            product = expected[-1 - dut.latency]
            if product is not None:
                expect(ctx, dut.product, product)
            await ctx.tick()

    simulate(dut, testbench)


def test_two_clients_at_once_clash():
    dut = ScalarMultiplier(CLIENTS)

    async def testbench(ctx):
        for pattern in range(1 << CLIENTS):
            for client, port in enumerate(dut.requests):
                ctx.set(port.en, pattern >> client & 1)
            expect(ctx, dut.fault, pattern.bit_count() > 1)

    simulate(dut, testbench)
