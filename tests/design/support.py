"""What the tests of single components share: running them, and the multipliers they borrow."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from amaranth import *
from amaranth.lib import data
from amaranth.sim import Simulator
from hypothesis import Phase, settings
from hypothesis import strategies as st

from design.scalar import ScalarMultiplier
from spec.config import Config, Geometry
from spec.derived import derive, exponents, mantissa_bits
from spec.fixed import SQ
from spec.schedule import Op, matrix
from spec.shape import Shape
from spec.trace import Tensor
from tests.strategies import NUMERICS

#: For tests whose every example builds and runs a simulation: enough to meet every `SMALL`. Each
#: step of shrinking takes as long as an example, so that is for the night; what fails says what was
#: expected, and small configurations are drawn as often as others.
costly = settings(
    max_examples=max(30, settings.default.max_examples),  # type: ignore[union-attr]
    phases=[
        phase
        for phase in Phase
        if phase is not Phase.shrink or settings.get_current_profile_name() == "nightly"
    ],
)


def decoder(lanes: int, *sizes: int, numerics: str = "default", **facts: Any) -> Config:
    """A configuration by lanes and sizes: dim, hidden, layers, heads, kv heads, vocab, seq len."""
    return Config(
        name="test",
        shape=Shape.of_sizes(*sizes, **facts),
        numerics=NUMERICS[numerics],
        geometry=Geometry(lanes=lanes),
    )


#: Lanes, shapes and number systems that differ in everything a component can depend on.
SMALL = (
    decoder(4, 8, 12, 2, 4, 2, 16, 8),
    decoder(8, 16, 11, 2, 4, 4, 13, 9, numerics="half even"),
    decoder(4, 12, 7, 2, 6, 1, 10, 11, numerics="truncate"),
    decoder(1, 4, 3, 3, 2, 1, 5, 6, numerics="wide"),
    decoder(32, 10, 13, 2, 5, 5, 9, 7, numerics="narrow"),
    decoder(16, 18, 5, 1, 3, 3, 11, 1, numerics="int8"),
    decoder(2, 16, 6, 1, 4, 2, 9, 4, numerics="half even"),
    # Heads of a size of their own, all together more or fewer elements than dim; biases.
    decoder(8, 6, 5, 2, 3, 1, 9, 5, head_dim=6, end_ids=(0, 2, 7), bos=None, qkv_bias=True),
    decoder(2, 14, 9, 1, 2, 2, 6, 5, numerics="narrow", head_dim=4, end_ids=(), qkv_bias=True),
    decoder(8, 6, 5, 1, 3, 1, 7, 5, numerics="wide state"),
    decoder(4, 8, 7, 2, 2, 2, 7, 4, numerics="wider state"),
)
small_configs = st.sampled_from(SMALL)


def simulate(dut: Elaboratable, testbench: Callable, *more: Callable) -> None:
    """Run testbenches on `dut` until all are through."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6, if_exists=True)
    for each in (testbench, *more):
        simulator.add_testbench(each)
    simulator.run()


def expect(ctx: Any, port: Any, value: int) -> None:
    """Fail, naming both, where `port` is not `value`."""
    __tracebackhide__ = True
    actual = ctx.get(port)
    name = getattr(port, "name", "") or repr(Value.cast(port))
    assert actual == value, f"{name} is {actual}, expected {int(value)}"


class WithScalars(Elaboratable):
    """Units with scalar multipliers behind their request ports.

    Each port has one of its own, or, when `shared`, all have the same one; its other clients ask
    while `others` is high. `clash`: two ask at once.
    """

    def __init__(self, *units: Any, shared: bool = False):
        self.units = units
        self.shared = shared
        self.others = Signal()
        self.clash = Signal()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ports: list[tuple] = []
        for number, unit in enumerate(self.units):
            m.submodules[f"unit_{number}"] = unit
            if "request" in unit.signature.members:
                ports.append((unit.request, unit.product))
            else:
                ports += zip(unit.requests, unit.products, strict=True)
        for number, clients in enumerate([ports] if self.shared else [[port] for port in ports]):
            m.submodules[f"scalar_{number}"] = scalar = ScalarMultiplier(len(clients) + 1)
            for asked, (request, product) in zip(scalar.requests, clients, strict=False):
                m.d.comb += [asked.eq(request), product.eq(scalar.product)]
            if self.shared:
                m.d.comb += [scalar.requests[-1].en.eq(self.others), self.clash.eq(scalar.fault)]
        return m


def passes(config: Config, op: Op) -> list[tuple[range, bool, int]]:
    """(rows, folded, number since the last header) of every pass, as the schedule's text says."""
    lanes, rows = config.geometry.lanes, matrix(config, op).rows
    foldable = op in (Op.QKV, Op.W13, Op.CLS) and derive(config).slots > 1
    shifts_of_header = {8: 1, 16: 3}[config.numerics.weight_bits]
    found = []
    for number, first in enumerate(range(0, rows, lanes)):
        mine = range(first, min(first + lanes, rows))
        folded = foldable and 2 * len(mine) <= lanes
        found.append((mine, folded, number % shifts_of_header))
    return found


def heads_of(config: Config, block: int) -> dict[int, int]:
    """Slot -> query head, for the slots that hold one."""
    slots = derive(config).slots
    heads = range(block * slots, min((block + 1) * slots, config.shape.heads))
    return {head - block * slots: head for head in heads}


def offer(ctx: Any, unit: Any, result: dict | None) -> None:
    """Put a result of `Writeback` (by the fields of its layout), or none, on a unit's input."""
    ctx.set(unit.i.valid, result is not None)
    if result is not None:
        ctx.set(unit.i.payload, result)


def in_format(form: SQ) -> st.SearchStrategy[int]:
    """Integers of `form`, its corners often among them."""
    corners = st.sampled_from([0, 1, -1, form.min, form.min + 1, form.max, form.max - 1])
    return corners | st.integers(form.min, form.max)


def operand_value(ctx: Any, port: data.View) -> int:
    """The integer that a port of `operand_layout` stands for."""
    return ctx.get(port.mantissa) << (4 * ctx.get(port.exponent))


def operands(form: SQ) -> st.SearchStrategy[dict[str, int]]:
    """Fields of `operand_layout`."""
    mantissas = signed_bits(mantissa_bits(form))
    exponent = st.integers(0, exponents(form) - 1)
    return st.fixed_dictionaries(dict(mantissa=mantissas, exponent=exponent))


def signed_bits(width: int) -> st.SearchStrategy[int]:
    """Signed integers of `width` bits, corners often among them."""
    return in_format(SQ(width, 0))


def records(ctx: Any, traces: Iterable[data.View]) -> list[tuple[Tensor, int, int, int]]:
    """What trace outputs show in this cycle: (tensor, layer, index, value)."""
    return [
        (
            Tensor(ctx.get(trace.tensor)),
            ctx.get(trace.layer),
            ctx.get(trace.index),
            ctx.get(trace.value),
        )
        for trace in traces
        if ctx.get(trace.valid)
    ]


def column(values: Iterable[int]) -> np.ndarray:
    """Integers as the golden primitives take them."""
    return np.array(list(values), dtype=np.int64)
