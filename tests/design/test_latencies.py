"""Each latency and lead time that a component declares, measured on the running component."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from amaranth import *
from amaranth.lib.wiring import connect

from design.activations import ActivationBuffer
from design.argmax import Argmax
from design.array import MultiplierArray
from design.beat import Kind, Sink
from design.biases import Biases
from design.cache import CacheLayers, kv_owner
from design.drain import Drain
from design.external_cache import ExternalCache
from design.interpolate import Interpolator
from design.issue import Issue
from design.kv_reader import WordReader
from design.pass_buffer import PassBuffer
from design.queries import QueryBuffer
from design.reciprocals import Reciprocals
from design.residual import Residual
from design.rmsnorm import RmsNorm
from design.rope import Rope
from design.scalar import ScalarMultiplier
from design.softmax import Softmax
from design.swiglu import SwiGlu
from design.writeback import Writeback
from spec import tables
from spec.config import CacheBacking
from spec.derived import derive
from tests.design.support import WithScalars, decoder, simulate

#: The scalar multipliers are three, or one for all.
ROOMY, TIGHT = decoder(4, 8, 12, 2, 4, 2, 16, 8), decoder(4, 12, 8, 2, 6, 2, 10, 11)
BIASED = decoder(8, 6, 5, 2, 3, 1, 9, 5, head_dim=6, qkv_bias=True)
OUTSIDE = ROOMY.with_cache(CacheBacking.EXTERNAL)
#: Cycles of a run, and the one in which what a memory was given is read.
CYCLES, READ = 120, 20

#: Who asks scalar multipliers for products.
CLIENTS = (Interpolator, Writeback, Residual, RmsNorm, Reciprocals, Rope, SwiGlu)

Unit = Any
#: What is set in each cycle: 0 where a function of the cycle says nothing.
Drives = Mapping[str, Any]


@dataclass(frozen=True)
class Latency:
    """From the first cycle in which `begin` is high to the one from which on `end` stays what it is
    in the end, or, of a `flag`, to the first in which it is high."""

    name: str
    unit: Callable[[], Unit]
    declared: Callable[[Unit], int]
    drives: Callable[[Unit], Drives]
    begin: Callable[[Unit], Value]
    end: Callable[[Unit], Any]
    flag: bool = field(kw_only=True)


def at(cycle: int, value: Any = 1) -> Callable[[int], Any]:
    """`value` in that cycle."""
    return lambda now: value if now == cycle else None


def since(cycle: int, value: Any = 1) -> Callable[[int], Any]:
    """`value` from that cycle on."""
    return lambda now: value if now >= cycle else None


def result(cycle: int, **fields: Any) -> dict[str, Callable[[int], Any]]:
    """An element on port `i`, in that cycle."""
    return {"i.valid": at(cycle), "i.p": at(cycle, fields)}


def rows(sink: Sink, turn: int, count: int, value: int) -> dict[str, Callable[[int], Any]]:
    """Rows on port `i`, one every `turn` cycles."""

    def valid(now: int) -> bool:
        return now % turn == 0 and now // turn < count

    return {
        "i.valid": valid,
        "i.p": lambda now: (
            {"sink": sink, "row": now // turn, "value": value} if valid(now) else None
        ),
    }


def _norm(unit: RmsNorm) -> Drives:
    return {"start": at(3), "square_sum": since(0, derive(ROOMY).epsilon * 5 + (3 << 12))}


def _sums(unit: Reciprocals) -> Drives:
    sums = unit.totals.sums
    weights = [3 * ROOMY.numerics.weight.max] * len(sums)
    return {"totals.complete": at(3), "totals.sums": since(0, weights)}


def _pairs(unit: Rope) -> Drives:
    shape = unit.config.shape
    count = shape.q_dim + 2 * shape.kv_dim
    return rows(Sink.QKV, derive(unit.config).turn, count, 5) | {"first_token": at(0)}


def _last_of(unit: Rope, tensor: Signal) -> Value:
    shape = unit.config.shape
    return tensor & (unit.o.head == shape.kv_heads - 1) & (unit.o.d == shape.head_dim - 1)


def _gate_and_up(unit: SwiGlu) -> Drives:
    turn = derive(unit.config).turn
    phase = {"phase": lambda now: (now + Writeback.scaled_latency) % (2 * turn)}
    return rows(Sink.W13, turn, 2, 100) | phase


def _pass(sink: Sink, **drives: Any) -> Callable[[Drain], Drives]:
    return lambda unit: {"i.valid": at(0), "i.p.beat": at(0, {"sink": sink, "count": 1}), **drives}


def _beat(unit: Issue) -> Drives:
    return {
        "i.valid": at(0),
        "i.payload": at(0, {"kind": Kind.WEIGHT, "sink": Sink.EMBED}),
        "i_weights.valid": since(0),
    }


def _scores(unit: Softmax) -> Drives:
    n = unit.config.numerics
    below = -1 << (n.q.f + n.k.f)  # one octave
    score = {0: {"t": 0}, 1: {"t": 1, "sums": [below] * len(unit.scores.p.sums)}}
    return {
        "clear": at(0),
        "scores.valid": lambda now: now - 2 in score,
        "scores.p": lambda now: score.get(now - 2),
        "en": since(0),
        "rd_en": at(READ),
        "rd_t": at(READ, 1),
    }


def _element(port: str, **more: Any) -> Drives:
    """Write 5, then read it."""
    return {f"wr_en{port}": at(0), "wr_data": at(0, 5), **more}


LATENCIES = [
    Latency(
        "product", lambda: ScalarMultiplier(2), lambda unit: unit.latency,
        lambda unit: {"requests": at(0, [{"en": 1, "a": -3, "b": 5}, {}])},
        lambda unit: unit.requests[0].en, lambda unit: unit.product == -15, flag=True,
    ),
    Latency(
        "slope", lambda: Interpolator(tables.rsqrt(ROOMY)), lambda unit: unit.asks_after,
        lambda unit: {"i.valid": at(0), "i.p": at(0, 70_000)},
        lambda unit: unit.i.valid, lambda unit: unit.request.en, flag=True,
    ),
    Latency(
        "interpolated", lambda: Interpolator(tables.rsqrt(ROOMY)), lambda unit: unit.latency,
        lambda unit: {"i.valid": at(0), "i.p": at(0, 70_000)},
        lambda unit: unit.i.valid, lambda unit: unit.o != 0, flag=True,
    ),
    *(
        Latency(
            f"issue, {name}", lambda: Issue(ROOMY), declared, _beat,
            lambda unit: unit.enter, end, flag=True,
        )
        for name, declared, end in (
            ("read", lambda unit: unit.read_latency, lambda unit: unit.read.valid),
            ("fetch", lambda unit: unit.fetch_latency, lambda unit: unit.fetch.valid),
            ("operands", lambda unit: unit.latency, lambda unit: unit.o.valid),
        )
    ),
    Latency(
        # In the cycle of its write, and without a fault.
        "announced element", lambda: ActivationBuffer(depth=4, shape=8),
        lambda unit: unit.lead_time + 1,
        lambda unit: {
            "coming": at(0), "wr_en": at(unit.lead_time), "wr_data": at(unit.lead_time, 5),
            "fetch": at(unit.lead_time), "rd_en": since(0),
        },
        lambda unit: unit.coming, lambda unit: unit.rd_data == 5, flag=True,
    ),
    Latency(
        "array", lambda: MultiplierArray(ROOMY), lambda unit: unit.latency,
        lambda unit: {
            "en": since(0), "i.valid": at(0), "i.p.beat": at(0, {"kind": Kind.WEIGHT, "last": 1}),
        },
        lambda unit: unit.i.valid, lambda unit: unit.o.valid, flag=True,
    ),
    Latency(
        "pass buffer", lambda: PassBuffer(ROOMY), lambda unit: unit.latency,
        lambda unit: {"i.valid": at(3)},
        lambda unit: unit.i.valid, lambda unit: unit.o.valid, flag=True,
    ),
    Latency(
        "drain", lambda: Drain(ROOMY), lambda unit: unit.latency, _pass(Sink.EMBED),
        lambda unit: unit.i.valid, lambda unit: unit.o.valid, flag=True,
    ),
    Latency(
        "drain, decision", lambda: Drain(ROOMY), lambda unit: unit.decision_latency,
        _pass(Sink.CLS, norm_ready=since(0), logits_ready=since(7)),
        lambda unit: unit.logits_ready, lambda unit: unit.o.valid, flag=True,
    ),
    Latency(
        "writeback", lambda: Writeback(ROOMY), lambda unit: unit.latency,
        lambda unit: result(0, sink=Sink.EMBED),
        lambda unit: unit.i.valid, lambda unit: unit.o.valid, flag=True,
    ),
    Latency(
        "writeback, ahead of a sum", lambda: Writeback(ROOMY), lambda unit: unit.lead_time,
        lambda unit: result(0, sink=Sink.EMBED),
        lambda unit: unit.coming.valid, lambda unit: unit.o.valid, flag=True,
    ),
    Latency(
        "writeback, scaled", lambda: Writeback(ROOMY), lambda unit: unit.scaled_latency,
        lambda unit: result(0, sink=Sink.CLS),
        lambda unit: unit.i.valid, lambda unit: unit.scaled.valid, flag=True,
    ),
    *(
        Latency(
            f"residual, {name}", lambda: Residual(ROOMY), declared,
            lambda unit: result(0, sink=Sink.EMBED, row=ROOMY.shape.dim - 1),
            lambda unit: unit.i.valid, end, flag=True,
        )
        for name, declared, end in (
            ("element", lambda unit: unit.latency, lambda unit: unit.o.valid),
            ("complete", lambda unit: unit.complete_latency, lambda unit: unit.complete),
        )
    ),
    Latency(
        "residual, old element", lambda: Residual(ROOMY),
        lambda unit: unit.lead_time + unit.latency,
        lambda unit: {
            "coming.valid": at(READ),
            "i.valid": lambda now: now == 0 or now >= READ,
            "i.p": lambda now: {"sink": Sink.WO if now else Sink.EMBED, "value": 1 if now else 5},
        },
        lambda unit: unit.coming.valid, lambda unit: unit.new == 6, flag=True,
    ),
    *(
        Latency(
            f"norm, {name}", lambda: RmsNorm(ROOMY), declared, _norm,
            lambda unit: unit.start, end, flag=False,
        )
        for name, declared, end in (
            ("exponent", lambda unit: unit.exponent_latency, lambda unit: unit.exponent),
            ("factor", lambda unit: unit.latency, lambda unit: unit.factor),
            ("ready", lambda unit: unit.ready_latency, lambda unit: unit.ready),
        )
    ),
    *(
        Latency(
            f"reciprocals, {name}", lambda: Reciprocals(ROOMY), declared, _sums,
            lambda unit: unit.totals.complete, end, flag=False,
        )
        for name, declared, end in (
            ("shift", lambda unit: unit.shift_latency, lambda unit: unit.shifts[0]),
            ("factor", lambda unit: unit.latency, lambda unit: unit.factors[0]),
            ("ready", lambda unit: unit.ready_latency, lambda unit: unit.ready),
        )
    ),
    *(
        Latency(
            f"rope, {name}, {config.geometry.lanes} lanes for dim {config.shape.dim}",
            lambda config=config: Rope(config), declared, _pairs, begin, end, flag=True,
        )
        for config in (ROOMY, TIGHT)
        for name, declared, begin, end in (
            (
                "first half", lambda unit: unit.latencies[0],
                lambda unit: unit.i.valid & (unit.i.p.row == 1), lambda unit: unit.o.q,
            ),
            (
                "second half", lambda unit: unit.latencies[1],
                lambda unit: unit.i.valid & (unit.i.p.row == 1),
                lambda unit: unit.o.q & (unit.o.d == 1),
            ),
            (
                "last product", lambda unit: unit.asks_after[-1],
                lambda unit: unit.i.valid & (unit.i.p.row == 1),
                lambda unit: unit.since[-1] if unit.asks_after[-1] else unit.requests[1].en,
            ),
            # What was announced in the cycle before.
            (
                "keys", lambda unit: unit.lead_time - 1,
                lambda unit: unit.keys_coming, lambda unit: _last_of(unit, unit.o.k),
            ),
            (
                "values", lambda unit: unit.lead_time - 1,
                lambda unit: unit.values_coming, lambda unit: _last_of(unit, unit.o.v),
            ),
        )
    ),
    *(
        Latency(
            f"swiglu, {name}, {config.geometry.lanes} lanes for dim {config.shape.dim}",
            lambda config=config: SwiGlu(config), declared, _gate_and_up, begin, end, flag=True,
        )
        for config in (ROOMY, TIGHT)
        for name, declared, begin, end in (
            (
                "slope", lambda unit: unit.asks_slope,
                lambda unit: unit.i.valid, lambda unit: unit.requests[0].en,
            ),
            (
                "sigmoid", lambda unit: unit.sigmoid_latency,
                lambda unit: unit.i.valid, lambda unit: unit.trace[0].valid,
            ),
            (
                "silu", lambda unit: unit.silu_latency,
                lambda unit: unit.i.valid, lambda unit: unit.trace[1].valid,
            ),
            (
                "up", lambda unit: unit.asks_up,
                lambda unit: unit.i.valid, lambda unit: unit.coming,
            ),
            (
                "element", lambda unit: unit.latency,
                lambda unit: unit.i.valid, lambda unit: unit.o.valid,
            ),
            (
                "coming", lambda unit: unit.lead_time,
                lambda unit: unit.coming, lambda unit: unit.o.valid,
            ),
        )
    ),
    Latency(
        "logit", lambda: Argmax(ROOMY), lambda unit: unit.latency,
        lambda unit: result(0, sink=Sink.CLS),
        lambda unit: unit.i.valid, lambda unit: unit.o_logits.valid, flag=True,
    ),
    Latency(
        # Those that leave from the cycle on in which there is no room.
        "logits on their way", lambda: Chain(Drain(ROOMY), Writeback(ROOMY)),
        lambda unit: Argmax.on_their_way,
        lambda unit: {
            "drain.i.valid": at(0), "drain.i.p.beat": at(0, {"sink": Sink.CLS, "count": 1}),
            "drain.norm_ready": since(0), "drain.logits_ready": since(7),
        },
        lambda unit: unit.drain.logits_ready, lambda unit: unit.writeback.scaled.valid, flag=True,
    ),
    Latency(
        "bias", lambda: Biases(BIASED), lambda unit: unit.latency,
        lambda unit: _element("", rd_en=at(READ)),
        lambda unit: unit.rd_en, lambda unit: unit.rd_data, flag=False,
    ),
    Latency(
        "query", lambda: QueryBuffer(ROOMY), lambda unit: unit.latency,
        lambda unit: _element("", rd_en=at(READ)),
        lambda unit: unit.rd_en, lambda unit: unit.rd_data[0], flag=False,
    ),
    Latency(
        "score", lambda: Softmax(ROOMY), lambda unit: unit.store_latency, _scores,
        lambda unit: unit.scores.valid, lambda unit: unit.stored, flag=True,
    ),
    Latency(
        "weight", lambda: Softmax(ROOMY), lambda unit: unit.read_latency + unit.latency, _scores,
        lambda unit: unit.rd_en, lambda unit: unit.weights[0], flag=False,
    ),
    Latency(
        "cache of a layer", lambda: kv_owner(ROOMY), lambda unit: unit.latency,
        lambda unit: _element("_k", rd_start_k=at(READ)),
        lambda unit: unit.rd_start_k, lambda unit: unit.rd_k[0][0], flag=False,
    ),
    Latency(
        "cache on the chip", lambda: CacheLayers(ROOMY), lambda unit: unit.latency,
        lambda unit: _element("_k", rd_start_k=at(READ), rd_en=since(0)),
        lambda unit: unit.rd_start_k, lambda unit: unit.rd_k[0][0], flag=False,
    ),
    Latency(
        "cache on the chip, write", lambda: CacheLayers(ROOMY), lambda unit: unit.write_latency,
        lambda unit: _element("_k"),
        lambda unit: unit.wr_en_k, lambda unit: unit.owners[0].wr_en_k, flag=True,
    ),
    Latency(
        "reader of the external cache", lambda: WordReader(OUTSIDE), lambda unit: unit.latency,
        lambda unit: {
            "i_words.valid": at(0), "i_words.payload": at(0, [5] * len(unit.word)),
            "rd_start": at(READ),
        },
        lambda unit: unit.rd_start, lambda unit: unit.word[0], flag=False,
    ),
    Latency(
        "external cache", lambda: ExternalCache(OUTSIDE), lambda unit: unit.latency,
        lambda unit: {
            "i_kv_words.valid": at(0),
            "i_kv_words.payload": at(0, [5] * len(unit.i_kv_words.payload)),
            "rd_start_k": at(READ), "rd_en": since(0),
        },
        lambda unit: unit.rd_start_k, lambda unit: unit.rd_k[0][0], flag=False,
    ),
]  # fmt: skip


class Chain(Elaboratable):
    """A drain in front of a writeback."""

    def __init__(self, drain: Drain, writeback: Writeback):
        self.drain = drain
        self.writeback = writeback

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules += [self.drain, self.writeback]
        connect(m, self.drain.o, self.writeback.i)
        return m


def _port(unit: Unit, path: str) -> Any:
    for name in path.split("."):
        unit = getattr(unit, name)
    return unit


@pytest.mark.parametrize("latency", LATENCIES, ids=lambda each: each.name)
def test_a_declared_latency_is_that_of_the_component(latency: Latency):
    unit = latency.unit()
    dut = WithScalars(unit) if isinstance(unit, CLIENTS) else unit
    begins: list[int] = []
    ends: list[int] = []
    drives = latency.drives(unit)
    begin, end = Value.cast(latency.begin(unit)), Value.cast(latency.end(unit))

    async def testbench(ctx):
        for now in range(CYCLES):
            for path, value_in in drives.items():
                port, value = _port(unit, path), value_in(now)
                if value is None:
                    ctx.set(Value.cast(port), 0)
                else:
                    ctx.set(port, value)
            begins.append(ctx.get(begin))
            ends.append(ctx.get(end))
            assert not (hasattr(unit, "fault") and ctx.get(unit.fault)), f"fault in cycle {now}"
            await ctx.tick()

    simulate(dut, testbench)
    assert any(begins), "never begins"
    if latency.flag:
        assert any(ends), "never ends"
        ended = ends.index(1)
    else:
        assert ends[0] != ends[-1], "never ends"
        ended = max(now for now, each in enumerate(ends) if each != ends[-1]) + 1
    assert ended - begins.index(1) == latency.declared(unit)
