"""Issue: who may enter, when the pipeline stands still, and which operands meet which beat."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from design.beat import Kind, Sink, to_sink
from design.issue import Issue
from spec.config import Config
from spec.derived import derive
from spec.schedule import matrix, ops
from tests.design.support import (
    SMALL,
    costly,
    expect,
    in_format,
    signed_bits,
    simulate,
    small_configs,
)
from tests.design.support import operands as vectors

#: Where a projection's activations come from; the embedding's is the constant one.
SOURCE = {Sink.QKV: "residual", Sink.W13: "residual", Sink.CLS: "residual"} | {
    Sink.WO: "attention",
    Sink.W2: "hidden",
}

#: Those that can be read at two places at once.
FOLDABLE = (Sink.QKV, Sink.W13, Sink.CLS)


@st.composite
def beats(draw, config: Config):
    """A beat by the fields of its layout."""
    shape, derived = config.shape, derive(config)
    kind = draw(st.sampled_from(list(Kind)))
    if kind in (Kind.HEADER, Kind.WEIGHT):
        op = draw(st.sampled_from(ops(config)))
        folded = draw(st.booleans()) if to_sink(op) in FOLDABLE and derived.slots > 1 else False
        last = matrix(config, op).cols // (1 + folded) - 1
        column = (
            draw(st.sampled_from([0, min(1, last), min(2, last), last]))
            if kind is Kind.WEIGHT
            else 0
        )
        return dict(kind=kind, sink=to_sink(op), column=column, folded=folded)
    return dict(
        kind=kind,
        sink=Sink.SCORE if kind is Kind.KEY else Sink.VALUE,
        newest=draw(st.integers(0, 1)),
        t=draw(st.integers(0, shape.seq_len - 1)),
        d=draw(st.integers(0, shape.head_dim - 1)),
        block=draw(st.integers(0, derived.head_blocks - 1)),
    )


FLAGS = ("queries_full", "keys_ready", "scores_ready", "values_ready", "words_ready")


@st.composite
def conditions(draw, config: Config) -> dict:
    """What exists in one cycle, and who stalls; mostly everything does and nobody."""
    shape = config.shape
    mostly = st.sampled_from([True, True, False])
    most = dict(residual=shape.dim, attention=shape.q_dim, hidden=shape.hidden)
    return dict(
        filled={name: draw(st.sampled_from([0, 1, 2, n - 1, n])) for name, n in most.items()},
        flags={name: draw(mostly) for name in FLAGS},
        has_weights=draw(mostly),
        blocked=not draw(mostly),
    )


@st.composite
def operands(draw, config: Config):
    """Everything that was read for one beat, needed or not."""
    n, derived = config.numerics, derive(config)
    slots = derived.slots

    def words(length: int):
        word = st.lists(signed_bits(derived.kv_width), min_size=length, max_size=length)
        return draw(st.lists(word, min_size=slots, max_size=slots))

    def per_slot(value):
        return draw(st.lists(value, min_size=slots, max_size=slots))

    lanes = config.geometry.lanes
    weight = signed_bits(n.weight_bits)
    return dict(
        residual=draw(vectors(n.residual)),
        residual_right=draw(vectors(n.residual)),
        attention=draw(in_format(n.attention)),
        hidden=draw(vectors(n.ffn)),
        queries=per_slot(in_format(n.q)),
        weights=per_slot(st.integers(0, n.weight.max)),
        keys=words(derived.k_word),
        values=words(derived.v_word),
        stream=draw(st.lists(weight, min_size=lanes, max_size=lanes)),
    )


def exists(config: Config, beat: dict, now: dict) -> bool:
    """Whether all that the beat reads is written."""
    kind, flags = beat["kind"], now["flags"]
    if kind is Kind.HEADER:
        return True
    if kind is Kind.WEIGHT:
        source = SOURCE.get(beat["sink"])
        if beat["folded"]:
            return now["filled"]["residual"] == config.shape.dim
        return source is None or now["filled"][source] > beat["column"]
    newest = beat["newest"]
    if not flags["words_ready"]:
        return False
    if kind is Kind.KEY:
        return flags["queries_full"] and (flags["keys_ready"] or not newest)
    return flags["scores_ready"] and (flags["values_ready"] or not newest)


def expected_operands(config: Config, beat: dict, read: dict) -> tuple[list[int], list]:
    """(a of every lane, b of every slot with or without its exponent)."""
    derived, lanes = derive(config), config.geometry.lanes
    kind = beat["kind"]
    if kind in (Kind.HEADER, Kind.WEIGHT):
        source = SOURCE.get(beat["sink"])
        if kind is Kind.HEADER:
            return read["stream"], [1] * derived.slots
        broadcast = derived.one if source is None else read[source]
        if beat["folded"]:
            half = derived.slots // 2
            return read["stream"], [broadcast] * half + [read["residual_right"]] * half
        return read["stream"], [broadcast] * derived.slots
    words = read["keys"] if kind is Kind.KEY else read["values"]
    a = []
    for lane in range(lanes):
        slot, element = divmod(lane, derived.per_slot)
        a.append(words[slot][element] if element < len(words[slot]) else 0)
    return a, read["queries"] if kind is Kind.KEY else read["weights"]


def shown(ctx, port, beat: dict) -> dict:
    return {name: ctx.get(port[name]) for name in beat}


@costly
@given(st.data())
def test_beats_meet_their_operands(data):
    config = data.draw(small_configs)
    pending = data.draw(st.lists(st.none() | beats(config), min_size=1, max_size=12))
    script = iter(data.draw(st.lists(conditions(config), min_size=5, max_size=15)))
    reads = data.draw(st.lists(operands(config), min_size=1, max_size=3))
    shape = config.shape
    calm: dict = dict(
        filled=dict(residual=shape.dim, attention=shape.q_dim, hidden=shape.hidden),
        flags=dict.fromkeys(FLAGS, True),
        has_weights=True,
        blocked=False,
    )
    dut = Issue(config)

    def apply(ctx, now: dict, read: dict) -> None:
        for name, filled in now["filled"].items():
            ctx.set(getattr(dut, f"{name}_filled"), filled)
        for name, value in now["flags"].items():
            ctx.set(getattr(dut, name), value)
        ctx.set(dut.blocked, now["blocked"])
        ctx.set(dut.i_weights.valid, now["has_weights"])
        ctx.set(dut.i_weights.payload, read["stream"])
        for name, value in read.items():
            if name != "stream":
                ctx.set(getattr(dut, name), value)

    async def testbench(ctx):
        left = [*pending, *[None] * (1 + Issue.latency)]
        waiting: dict | None = None
        score_of = None  # position whose score was read last
        asked = None  # column that the activation memories read last
        stages: list[dict | None] = [None] * Issue.latency  # entrance first
        cycle = 0
        while left:
            now, read, beat = next(script, calm), reads[cycle % len(reads)], left[0]
            if stages[-1] is None or not stages[-1].get("folded"):
                read = read | dict(residual_right=read["residual"])
            apply(ctx, now, read)
            ctx.set(dut.i.valid, beat is not None)
            ctx.set(dut.i.payload, beat or {})

            out = stages[-1]
            from_stream = out is not None and out["kind"] in (Kind.HEADER, Kind.WEIGHT)
            en = not now["blocked"] and (now["has_weights"] or not from_stream)
            enters = en and waiting is not None and exists(config, waiting, now)
            expect(ctx, dut.en, en)
            expect(ctx, dut.i_weights.ready, from_stream and not now["blocked"])
            reads_cache = enters and waiting["kind"] in (Kind.KEY, Kind.VALUE)
            expect(ctx, dut.claims.valid, reads_cache)
            ready = waiting is None or enters
            expect(ctx, dut.i.ready, ready)
            entered = waiting if enters else None
            if ready:
                waiting = beat
                left.pop(0)
            if entered is not None and entered["kind"] is Kind.VALUE:
                assert score_of == entered["t"]
            if ctx.get(dut.next_t_en):
                score_of = ctx.get(dut.next_t)
            fetches = en and stages[1] is not None
            if fetches and stages[1]["kind"] is Kind.WEIGHT:
                assert asked == (stages[1]["column"], stages[1]["folded"])
            asked = ctx.get(dut.next_column), ctx.get(dut.next_folded)
            for inside, valid, port in (
                (stages[0], dut.read.valid, dut.read.p),
                (stages[1], dut.fetch.valid, dut.fetch.p),
            ):
                expect(ctx, valid, en and inside is not None)
                if inside is not None:
                    assert shown(ctx, port, inside) == inside
            expect(ctx, dut.o.valid, out is not None)
            if out is not None:
                assert shown(ctx, dut.o.p.beat, out) == out
                a, b = expected_operands(config, out, read)
                assert [ctx.get(lane) for lane in dut.o.p.a] == a
                powers = zip(dut.o.p.b, dut.o.p.exponents, strict=True)
                found = [dict(mantissa=ctx.get(x), exponent=ctx.get(power)) for x, power in powers]
                plain = [dict(mantissa=x, exponent=0) if isinstance(x, int) else x for x in b]
                assert found == plain
            await ctx.tick()
            if en:
                stages = [entered, *stages[:-1]]
            cycle += 1

    simulate(dut, testbench)


def test_who_may_enter():
    config = SMALL[0]
    dut = Issue(config)
    entering: list[dict] = [dict(kind=Kind.HEADER, sink=to_sink(op)) for op in ops(config)]
    entering += [
        dict(kind=Kind.WEIGHT, sink=to_sink(op), column=column, folded=False)
        for op in ops(config)
        for column in (0, matrix(config, op).cols - 1)
    ]
    half = config.shape.dim // 2
    entering += [
        dict(kind=Kind.WEIGHT, sink=sink, column=column, folded=True)
        for sink in FOLDABLE
        for column in (0, half - 1)
    ]
    entering += [
        dict(kind=kind, sink=sink, newest=newest)
        for kind, sink in ((Kind.KEY, Sink.SCORE), (Kind.VALUE, Sink.VALUE))
        for newest in (0, 1)
    ]

    def say(ctx, filled: dict, flags: dict) -> None:
        for name, value in filled.items():
            ctx.set(getattr(dut, f"{name}_filled"), value)
        for name, value in flags.items():
            ctx.set(getattr(dut, name), value)

    async def testbench(ctx):
        dim, hidden = config.shape.dim, config.shape.hidden
        full = dict(residual=dim, attention=dim, hidden=hidden)
        ctx.set(dut.i_weights.valid, 1)
        for beat in entering:
            # The beat before enters, and this one waits.
            say(ctx, full, dict.fromkeys(FLAGS, True))
            ctx.set(dut.i.payload, beat)
            ctx.set(dut.i.valid, 1)
            expect(ctx, dut.i.ready, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            # A vector that just holds the column, or lacks it; the others are empty.
            for name in ("residual", "attention", "hidden"):
                column = beat.get("column", 0)
                for length in (column, column + 1, dim - 1, dim):
                    for flags in itertools.product((False, True), repeat=len(FLAGS)):
                        filled = dict(residual=0, attention=0, hidden=0) | {name: length}
                        now = dict(filled=filled, flags=dict(zip(FLAGS, flags, strict=True)))
                        say(ctx, **now)
                        expect(ctx, dut.i.ready, exists(config, beat, now))

    simulate(dut, testbench)
