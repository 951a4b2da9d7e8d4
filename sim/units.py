"""Every input of every non-linear unit, through compiled RTL: against golden, and against reals.

A unit sees all values that its table can be asked for, and its worst error is published. What is
too much to enumerate is said in `Row.inputs`; there the theorems `arith.*` say that the steps
around the tables are golden's for every input.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from amaranth import *
from amaranth.lib import wiring

from design.beat import Sink
from design.operand import times_power
from design.reciprocals import Reciprocals
from design.rmsnorm import RmsNorm
from design.rope import Rope
from design.scalar import ScalarMultiplier
from design.softmax import Softmax
from design.swiglu import SwiGlu
from design.writeback import Writeback
from golden import fixed_math, steps
from sim.columns import Columns
from spec import tables
from spec.config import Config, RopeBy
from spec.derived import SCALAR_BITS, TABLE_FRACTION, ceil_div, derive, exponents

UNIT = 2.0**TABLE_FRACTION


@dataclass(frozen=True)
class Row:
    """What one unit did. `ulp` and `absolute`: its worst error against the real function."""

    unit: str
    inputs: str
    values: int
    different: int
    ulp: float
    absolute: float
    monotone: bool | None
    """None where the function is not."""

    @property
    def good(self) -> bool:
        """Equal to golden everywhere, and monotone where it should be."""
        return not self.different and self.monotone is not False


class Units:
    """The units of `config` side by side, with multipliers of their own, compiled."""

    def __init__(self, config: Config):
        self.config = config
        self._inputs: dict[str, Signal] = {}
        self._outputs: dict[str, Signal] = {}
        self._m = m = Module()
        norm = self._unit("norm", RmsNorm(config))
        self._in("norm", start=norm.start, sum=norm.square_sum)
        self._out("norm", factor=norm.factor, exponent=norm.exponent)

        reciprocals = self._unit("reciprocal", Reciprocals(config))
        totals = reciprocals.totals
        total = self._in("reciprocal", start=totals.complete, sum=totals.sums[0])[1]
        m.d.comb += [each.eq(total) for each in list(totals.sums)[1:]]
        found, exponent, _ = reciprocals.trace
        self._out("reciprocal", factor=found.value, exponent=exponent.value)

        swiglu = self._unit("swiglu", SwiGlu(config))
        self._swiglu_latency = swiglu.latency
        came = {"valid": swiglu.i.valid, "value": swiglu.i.p.value, "row": swiglu.i.p.row}
        self._in("swiglu", **came, phase=swiglu.phase)
        m.d.comb += swiglu.i.p.sink.eq(Sink.W13)
        sigmoid, silu, _ = swiglu.trace
        element = swiglu.o.p
        operand = times_power(element.mantissa, element.exponent, exponents(config.numerics.ffn))
        self._out(
            "swiglu", sigmoid=sigmoid.value, silu=silu.value, o=operand, fault=swiglu.fault
        )  # fmt: skip

        softmax = self._unit("softmax", Softmax(config))
        scores = softmax.scores
        read = {"rd_en": softmax.rd_en, "rd_t": softmax.rd_t}
        scored = {"valid": scores.valid, "sum": scores.p.sums[0], "t": scores.p.t}
        self._in("softmax", clear=softmax.clear, **scored, **read)
        m.d.comb += softmax.en.eq(1)
        self._out("softmax", weight=softmax.weights[0])

        self._ropes = {rope_by: Rope(config.with_rope(rope_by)) for rope_by in RopeBy}
        for rope_by, rope in self._ropes.items():
            name = f"rope_{rope_by.value}"
            self._unit(name, rope)
            came = {"valid": rope.i.valid, "value": rope.i.p.value, "row": rope.i.p.row}
            told = {"next": rope.next_token, "first": rope.first_token}
            self._in(name, clear=rope.clear, **told, **came)
            m.d.comb += rope.i.p.sink.eq(Sink.QKV)
            self._out(name, out=rope.o.q | rope.o.k | rope.o.v, o=rope.o.value, fault=rope.fault)
        self._columns = Columns(m, self._inputs, self._outputs)

    def _unit(self, name: str, unit: wiring.Component):
        self._m.submodules[name] = unit
        if hasattr(unit, "requests"):
            for port, (request, product) in enumerate(
                zip(unit.requests, unit.products, strict=True)
            ):
                multiplier = ScalarMultiplier(1)
                self._m.submodules[f"{name}_multiplier_{port}"] = multiplier
                self._m.d.comb += multiplier.requests[0].eq(request)
                self._m.d.comb += product.eq(multiplier.product)
        return unit

    def _in(self, unit: str, **ports) -> list[Signal]:
        made = []
        for name, port in ports.items():
            made.append(Signal(Value.cast(port).shape(), name=f"{unit}_{name}"))
            self._m.d.comb += Value.cast(port).eq(made[-1])
            self._inputs[f"{unit}_{name}"] = made[-1]
        return made

    def _out(self, unit: str, **ports) -> None:
        for name, port in ports.items():
            signal = Signal(Value.cast(port).shape(), name=f"{unit}_{name}_out")
            self._m.d.comb += signal.eq(port)
            self._outputs[f"{unit}_{name}"] = signal

    def _run(self, unit: str, **columns: np.ndarray) -> Callable[[str], np.ndarray]:
        found = self._columns.run({f"{unit}_{name}": each for name, each in columns.items()})
        return lambda name: found[f"{unit}_{name}"]

    def rows(self) -> Iterator[Row]:
        """The table, unit by unit."""
        yield self._norm()
        yield self._reciprocal()
        yield from self._swiglu()
        yield self._exp2()
        for rope_by in RopeBy:
            yield self._rope(rope_by)

    def _norm(self) -> Row:
        derived = derive(self.config)
        top = min(derived.square_sum_width // 2 - 1, 30)  # a column holds 63 bits
        mantissas = np.arange(1 << (SCALAR_BITS - 2), 1 << SCALAR_BITS)
        others = [
            near
            for e in range(derived.norm_floor, top + 1)
            for near in (4**e, 4**e + 1, 2 * 4**e - 1, 2 * 4**e, 3 * 4**e, 4 ** (e + 1) - 1)
        ]
        s = np.concatenate([mantissas << (2 * top - SCALAR_BITS + 2), np.array(others)])
        s = s[s >= derived.epsilon]
        every = RmsNorm.latency + 2  # cycles from a start to the next
        start = np.tile(np.arange(every) == 0, len(s))
        found = self._run("norm", start=start, sum=np.repeat(s, every))
        last = slice(every - 1, None, every)
        factor, exponent = found("factor")[last], found("exponent")[last]
        m, e = fixed_math.rsqrt_operand(*fixed_math.halves(s))
        table = tables.rsqrt(self.config)
        golden = _interpolated(table, m)
        different = (factor != golden) | (exponent != e - derived.norm_floor)
        scale = math.sqrt(self.config.shape.dim) / 2**derived.norm_growth
        exact = scale / np.sqrt(s / 4.0**e)
        falls = (np.diff(factor[: len(mantissas)]) <= 0).all()
        what = "every mantissa of 18 bits; every exponent at its ends"
        return _row("rsqrt", what, different, factor / UNIT, exact, UNIT, falls)

    def _reciprocal(self) -> Row:
        width = derive(self.config).softmax_sum_width
        small = np.arange(1, 1 << min(width, SCALAR_BITS))
        spare = width - 1 - SCALAR_BITS
        high = np.arange(1 << SCALAR_BITS, 2 << SCALAR_BITS) << max(spare, 0)
        s = np.concatenate([small, high if spare >= 0 else small[:0]])
        late = Reciprocals.latency - 1  # traced in the cycle before the factor is out
        found = self._run("reciprocal", start=np.ones(len(s) + late), sum=s)
        factor, exponent = found("factor")[late:], found("exponent")[late:]
        m, e = fixed_math.reciprocal_operand(s)
        different = (factor != _interpolated(tables.reciprocal(self.config), m)) | (exponent != e)
        exact = 2.0**e / s
        falls = all((np.diff(factor[e == each]) <= 0).all() for each in range(width))
        what = f"every sum below 2^{min(width, SCALAR_BITS)}, every mantissa of 18 bits"
        return _row("reciprocal", what, different, factor / UNIT, exact, UNIT, falls)

    def _swiglu(self) -> Iterator[Row]:
        n, turn = self.config.numerics, derive(self.config).turn
        every = 2 * turn
        gate = np.arange(n.gate.min, n.gate.max + 1)
        up = np.random.default_rng(1).integers(n.up.min, n.up.max + 1, len(gate))
        cycle = np.arange(every * len(gate) + self._swiglu_latency + 1)
        value = np.zeros(len(cycle), np.int64)
        value[: every * len(gate) : every] = gate
        value[turn : every * len(gate) : every] = up
        valid = np.isin(cycle % every, (0, turn)) & (cycle < every * len(gate))
        # Gate and up are even and odd; a gate left the drain in phase 0.
        found = self._run(
            "swiglu", valid=valid, value=value, row=cycle % every == turn,
            phase=(cycle + Writeback.scaled_latency) % every,
        )  # fmt: skip
        sigmoid, silu, ffn = (
            found(name)[at:][: every * len(gate) : every]
            for name, at in (
                ("sigmoid", SwiGlu.sigmoid_latency),
                ("silu", SwiGlu.silu_latency),
                ("o", self._swiglu_latency),
            )
        )
        real = gate / n.gate.scale
        exact = 1 / (1 + np.exp(-real))
        golden = _interpolated(tables.sigmoid(self.config), gate - n.gate.min)
        rises = (np.diff(sigmoid) >= 0).all()
        yield _row("sigmoid", "every gate", sigmoid != golden, sigmoid / UNIT, exact, UNIT, rises)
        golden = steps.gated(n, gate, golden)
        operand = fixed_math.operand(steps.multiplied(n, golden, up), n.ffn, n.rounding)
        different = (silu != golden) | (ffn != operand)
        different |= found("fault").any()
        yield _row(
            "silu", "every gate, with an up drawn", different, silu / n.silu.scale,
            np.minimum(real * exact, n.silu.max / n.silu.scale), n.silu.scale, None,
        )  # fmt: skip

    def _exp2(self) -> Row:
        n, length = self.config.numerics, self.config.shape.seq_len
        most = n.score.max - n.score.min
        dense = np.arange(min((n.weight.width + 2) << n.score.f, most) + 1)
        octaves = np.arange(0, most + 1, 1 << n.score.f)
        below = np.concatenate([dense, octaves, octaves[1:] - 1, [most]])
        others = max(length - 1, 1)
        rounds = ceil_div(len(below), others)
        padded = np.zeros((rounds, others), np.int64)
        padded.flat[: len(below)] = below
        # Each round: clear, the maximum and the others, and the others are read.
        score = np.full((rounds, length), n.score.max)
        score[:, 1:] -= padded
        pause, late = Softmax.store_latency + 2, Softmax.read_latency + Softmax.latency
        cycles = 1 + length + pause + length + late + 2
        shape = (rounds, cycles)
        clear, valid, total, t, rd_en, rd_t = (np.zeros(shape, np.int64) for _ in range(6))
        clear[:, 0] = 1
        written = slice(1, 1 + length)
        read = slice(written.stop + pause, written.stop + pause + length)
        valid[:, written], t[:, written] = 1, np.arange(length)
        total[:, written] = score << (n.q.f + n.k.f - n.score.f)
        rd_en[:, read], rd_t[:, read] = 1, np.arange(length)
        columns = {"clear": clear, "valid": valid, "sum": total, "t": t}
        columns |= {"rd_en": rd_en, "rd_t": rd_t}
        found = self._run("softmax", **{name: each.ravel() for name, each in columns.items()})
        # That of the maximum is not looked at.
        weights = slice(read.start + late + 1, read.stop + late)
        weight = found("weight").reshape(shape)[:, weights].ravel()[: len(below)]
        exp2 = np.array(tables.exp2(self.config))
        golden = steps.softmax_weight(n, exp2, np.minimum(below, n.weight.width << n.score.f))
        exact = np.exp2(-below / n.score.scale)
        falls = (np.diff(weight[: len(dense)]) <= 0).all()
        what = f"every distance up to 2^-{n.weight.width + 2}, every octave beyond at its ends"
        return _row("exp2", what, weight != golden, weight / n.weight.scale, exact,
                    n.weight.scale, falls)  # fmt: skip

    def _rope(self, rope_by: RopeBy) -> Row:
        shape, n, turn = self.config.shape, self.config.numerics, derive(self.config).turn
        unit, table = self._ropes[rope_by], tables.rope(self.config.with_rope(rope_by))
        rows = shape.q_dim + 2 * shape.kv_dim
        turned = shape.q_dim + shape.kv_dim
        tokens = shape.seq_len * max(4, 2048 // shape.seq_len)
        random = np.random.default_rng(1)
        # Half of the operands are the corners of their format.
        corners = np.array([n.q.min, n.q.max, n.q.min + 1, -1, 0, 1])
        drawn = random.integers(n.q.min, n.q.max + 1, (tokens, rows))
        x = np.where(
            random.integers(2, size=drawn.shape), random.choice(corners, drawn.shape), drawn
        )
        begin = 4 + unit.angles.latency  # the first element
        cycles = begin + turn * rows + max(unit.latencies) + 1
        columns = {
            name: np.zeros((tokens, cycles), np.int64)
            for name in ("clear", "next", "first", "valid", "value", "row")
        }
        columns["clear"][:, 0] = 1
        position = np.arange(tokens) % shape.seq_len
        columns["first"][:, 0], columns["next"][:, 0] = position == 0, position > 0
        coming = slice(begin, begin + turn * rows, turn)
        columns["valid"][:, coming], columns["value"][:, coming] = 1, x
        columns["row"][:, coming] = np.arange(rows)
        found = self._run(
            f"rope_{rope_by.value}", **{name: each.ravel() for name, each in columns.items()}
        )
        out = found("o")[found("out") == 1]
        assert len(out) == tokens * rows and not found("fault").any(), "RoPE lost an element"
        out = out.reshape(tokens, rows)
        pair = np.arange(turned // 2) % table.pairs
        at = position[:, None] * table.pairs + pair
        cos, sin = np.array(table.cos)[at], np.array(table.sin)[at]
        a, b = x[:, :turned:2], x[:, 1:turned:2]
        golden = x.copy()
        for form, part in ((n.q, slice(0, shape.q_dim)), (n.k, slice(shape.q_dim, turned))):
            half = slice(part.start // 2, part.stop // 2)
            operands = (each[:, half] for each in (a, b, cos, sin))
            golden[:, part][:, 0::2], golden[:, part][:, 1::2] = steps.turned(n, form, *operands)
        angle = position[:, None] * np.array(shape.rope_rates)[pair]
        real = (a + 1j * b) * np.exp(1j * angle)
        exact = np.stack([real.real, real.imag], axis=-1).reshape(tokens, turned)
        limit = n.q
        exact = np.clip(exact, limit.min, limit.max) / limit.scale
        what = "every angle, with corners and operands drawn"
        different = (out != golden).any(axis=1)
        return _row(
            f"rope by {rope_by.value}", what, different, out[:, :turned] / limit.scale, exact,
            limit.scale, None,
        )  # fmt: skip


def _interpolated(table: tables.Interpolated, x: np.ndarray) -> np.ndarray:
    return fixed_math.interpolate(table, np.array(table.base), np.array(table.slope), x)


def _row(
    unit: str,
    inputs: str,
    different: np.ndarray,
    found: np.ndarray,
    exact: np.ndarray,
    scale: float,
    monotone: np.bool | bool | None,
) -> Row:
    worst = float(np.abs(found - exact).max())
    return Row(
        unit, inputs, found.size, int(different.sum()), worst * scale, worst,
        None if monotone is None else bool(monotone),
    )  # fmt: skip
