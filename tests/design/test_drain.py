"""The drain: which results leave, in which order and in which cycle."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink, to_sink
from design.drain import Drain
from spec.config import Config
from spec.derived import MAX_SHIFT, derive
from spec.schedule import Op, ops
from tests.design.support import SMALL, costly, expect, passes, signed_bits, simulate, small_configs

#: What sums wait for.
READIES = ("norm_ready", "reciprocals_ready", "logits_ready")
WAITS = {
    Sink.QKV: {"norm_ready"},
    Sink.W13: {"norm_ready"},
    Sink.CLS: {"norm_ready", "logits_ready"},
    Sink.VALUE: {"reciprocals_ready"},
}


def phased(config: Config) -> tuple[Sink, ...]:
    """Sinks whose rows leave in a phase."""
    return (Sink.QKV, Sink.W13) if derive(config).turn > 1 else (Sink.W13,)


@st.composite
def captures(draw, config: Config):
    """A finished pass: its beat, the lanes' sums and their shifts."""
    shape, derived, lanes = config.shape, derive(config), config.geometry.lanes
    sink = draw(st.sampled_from([*map(to_sink, ops(config)), Sink.SCORE, Sink.VALUE]))
    beat: dict[str, Any] = dict(sink=sink, layer=shape.layers - 1, last=1)
    if sink is Sink.SCORE:
        word = draw(st.integers(0, (shape.seq_len - 1) // derived.k_word))
        left = shape.seq_len - word * derived.k_word
        beat |= dict(t=word * derived.k_word, newest=draw(st.booleans()))
        beat["count"] = draw(st.integers(1, min(derived.k_word, left)))
        beat["block"] = draw(st.integers(0, derived.head_blocks - 1))
    elif sink is Sink.VALUE:
        beat["d"] = draw(st.integers(0, derived.v_words - 1)) * derived.v_word
        beat["count"] = lanes
        beat["block"] = draw(st.integers(0, derived.head_blocks - 1))
    else:
        rows, folded, _ = draw(st.sampled_from(passes(config, Op(sink.value))))
        beat |= dict(row=rows.start, count=len(rows), folded=folded)
    # The sum of two halves fits as well.
    total = signed_bits(derived.acc_width - beat.get("folded", 0))
    sums = st.lists(total, min_size=lanes, max_size=lanes)
    shifts = st.lists(st.integers(0, MAX_SHIFT), min_size=lanes, max_size=lanes)
    return beat, draw(sums), draw(shifts)


@dataclass(frozen=True)
class Result:
    """What a pass lets go in one cycle: a serial result, scores, or (both None) padding."""

    sink: Any
    row: int
    serial: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None


def results(config: Config, beat: dict, sums: list[int], shifts: list[int]) -> Iterator[Result]:
    """Everything that leaves of a pass, in order."""
    shape, derived = config.shape, derive(config)
    sink, layer = beat["sink"], beat["layer"]
    for n in range(beat["count"]):
        if sink is Sink.SCORE:
            of_slots = [sums[slot * derived.per_slot + n] for slot in range(derived.slots)]
            last = beat["newest"] and n == beat["count"] - 1
            place = dict(t=beat["t"] + n, block=beat["block"], layer=layer, last=last)
            yield Result(sink, 0, scores=dict(sums=of_slots, **place))
        elif sink is Sink.VALUE:
            slot, element = divmod(n, derived.per_slot)
            head = beat["block"] * derived.slots + slot
            in_word = element < derived.v_word and beat["d"] + element < shape.head_dim
            place = dict(slot=slot, block=beat["block"], layer=layer)
            exists = in_word and head < shape.heads
            yield Result(sink, 0, dict(sink=sink, sum=sums[n], **place) if exists else None)
        else:
            total = sums[n] + (sums[n + len(sums) // 2] if beat["folded"] else 0)
            place = dict(row=beat["row"] + n, shift=shifts[n], layer=layer)
            yield Result(sink, beat["row"] + n, dict(sink=sink, sum=total, **place))


def shown(ctx, port, expected: dict) -> dict:
    """The fields of a port that are expected to mean something."""
    found = {name: ctx.get(port[name]) for name in expected if name != "sums"}
    return found | ({"sums": [ctx.get(each) for each in port.sums]} if "sums" in expected else {})


def put(ctx, dut: Drain, one_pass: tuple | None) -> None:
    ctx.set(dut.i.valid, one_pass is not None)
    if one_pass is not None:
        beat, sums, shifts = one_pass
        ctx.set(dut.i.p.sums, sums)
        ctx.set(dut.i.p.shifts, shifts)
        ctx.set(dut.i.p.beat, beat)


@costly
@given(st.data())
def test_results_leave_in_order_and_in_their_cycles(data):
    config = data.draw(small_configs)
    pending = data.draw(st.lists(captures(config), min_size=1, max_size=5))
    mostly = st.sampled_from([True, True, False])
    readies = st.fixed_dictionaries(dict.fromkeys(READIES, mostly))
    script = iter(data.draw(st.lists(readies, max_size=60)))
    bubbles = iter(data.draw(st.lists(st.integers(0, 3), max_size=5)))
    turn = derive(config).turn
    dut = Drain(config)

    async def testbench(ctx):
        left = list(pending)
        held: list[Result] = []
        wait = next(bubbles, 0)
        cycle = 0
        ready = dict.fromkeys(READIES, False)
        while left or held:
            offered = left[0] if left and wait == 0 else None
            put(ctx, dut, offered)
            # What was ready in the cycle before counts in this one.
            before, ready = ready, next(script, dict.fromkeys(READIES, True))
            for name, value in ready.items():
                ctx.set(getattr(dut, name), value)
            phase = cycle % (2 * turn)
            expect(ctx, dut.phase, phase)

            leaving = held[0] if held else None
            if leaving is not None:
                in_phase = phase == leaving.row % 2 * turn or leaving.sink not in phased(config)
                if not in_phase or not all(before[name] for name in WAITS.get(leaving.sink, ())):
                    leaving = None
            for name in ("serial", "scores"):
                port, valid = (
                    (dut.o.p, dut.o.valid) if name == "serial" else (dut.scores.p, dut.scores.valid)
                )
                expected = leaving and getattr(leaving, name)
                expect(ctx, valid, expected is not None)
                if expected is not None:
                    assert shown(ctx, port, expected) == expected
            i_ready = not held or (leaving is not None and len(held) == 1)
            expect(ctx, dut.i.ready, i_ready)
            await ctx.tick()
            cycle += 1
            if leaving is not None:
                held.pop(0)
            if offered is not None and i_ready:
                held = list(results(config, *left.pop(0)))
                wait = next(bubbles, 0)
            elif offered is None:
                wait = max(0, wait - 1)

    simulate(dut, testbench)


def test_a_folded_row_is_the_sum_of_its_halves():
    for config in SMALL:
        lanes, derived = config.geometry.lanes, derive(config)
        if derived.slots == 1:
            continue
        dut = Drain(config)
        left = [1000 + lane for lane in range(lanes // 2)]
        right = [-(lane**2) for lane in range(lanes // 2)]

        async def testbench(ctx, dut=dut, left=left, right=right):
            for name in READIES:
                ctx.set(getattr(dut, name), 1)
            for beat in (dict(sink=Sink.CLS, folded=1), dict(sink=Sink.CLS, folded=0)):
                put(ctx, dut, (beat | dict(count=len(left)), left + right, [0] * 2 * len(left)))
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                found = []
                while not ctx.get(dut.i.ready) or ctx.get(dut.o.valid):
                    found += [ctx.get(dut.o.p.sum)] if ctx.get(dut.o.valid) else []
                    await ctx.tick()
                both = [x + y for x, y in zip(left, right, strict=True)]
                assert found == (both if beat["folded"] else left)

        simulate(dut, testbench)


def test_a_pass_occupies_the_drain_for_count_cycles():
    """Those that wait for a phase times `turn`, and the next capture shares the last of them."""
    for config in SMALL:
        lanes, derived = config.geometry.lanes, derive(config)
        dut = Drain(config)
        beats: list[dict] = [dict(sink=Sink.WO, count=n) for n in range(1, lanes + 1)]
        beats += [dict(sink=Sink.SCORE, count=n) for n in range(1, derived.per_slot + 1)]
        beats += [dict(sink=s, count=lanes) for s in (Sink.VALUE, Sink.QKV, Sink.W13, Sink.CLS)]
        in_phase, round_of_phase = phased(config), max(2, lanes) * derived.turn

        async def testbench(
            ctx, dut=dut, beats=beats, in_phase=in_phase, phases=round_of_phase, lanes=lanes
        ):
            for name in READIES:
                ctx.set(getattr(dut, name), 1)
            still = [0] * lanes
            for beat in beats:
                put(ctx, dut, (beat, still, still))
                times: list[int] = []  # of captures
                cycle = 0
                while len(times) < 3:
                    if ctx.get(dut.i.ready):
                        times.append(cycle)
                    await ctx.tick()
                    cycle += 1
                # On one lane, the row of the next pass is as even as that of this one.
                expected = phases if beat["sink"] in in_phase else beat["count"]
                assert times[2] - times[1] == expected, beat

        simulate(dut, testbench)
