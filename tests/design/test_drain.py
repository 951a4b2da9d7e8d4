"""The drain: which results leave, in which order and in which cycle."""

from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink
from design.config import Config
from design.derived import MAX_SHIFT, derive
from design.drain import Drain
from tests.design.support import SMALL, costly, signed_bits, simulate, small_configs

PROJECTIONS = (Sink.EMBED, Sink.QKV, Sink.WO, Sink.W13, Sink.W2, Sink.CLS)


@st.composite
def captures(draw, config: Config):
    """A finished pass: its beat, the lanes' sums and their shifts."""
    shape, derived, lanes = config.shape, derive(config), config.geometry.lanes
    sums = st.lists(signed_bits(derived.acc_width), min_size=lanes, max_size=lanes)
    shifts = st.lists(st.integers(0, MAX_SHIFT), min_size=lanes, max_size=lanes)
    sink = draw(st.sampled_from([*PROJECTIONS, Sink.SCORE, Sink.VALUE]))
    beat = dict(sink=sink, layer=shape.layers - 1, last=1)
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
        beat["count"] = draw(st.integers(1, lanes))
        # Two times a number of lanes below the smallest matrix, so that any projection has it.
        beat["row"] = lanes * draw(st.integers(0, max(0, shape.dim // lanes - 1)))
    return beat, draw(sums), draw(shifts)


def expected_serial(config: Config, beat: dict, sums: list[int], shifts: list[int]):
    """(sink, layer, sum, what else matters) of every serial result of a pass, in order."""
    shape, derived = config.shape, derive(config)
    sink, layer = beat["sink"], beat["layer"]
    if sink is Sink.VALUE:
        for lane, total in enumerate(sums):
            slot, element = divmod(lane, derived.per_slot)
            head = beat["block"] * derived.slots + slot
            in_word = element < derived.v_word and beat["d"] + element < shape.head_dim
            if in_word and head < shape.heads:
                yield sink, layer, total, (slot, beat["block"])
    elif sink is not Sink.SCORE:
        for lane in range(beat["count"]):
            yield sink, layer, sums[lane], (beat["row"] + lane, shifts[lane])


def expected_scores(config: Config, beat: dict, sums: list[int]):
    """(sums of the slots, t, block, layer, last) of every score that leaves."""
    derived = derive(config)
    if beat["sink"] is Sink.SCORE:
        for n in range(beat["count"]):
            of_slots = [sums[slot * derived.per_slot + n] for slot in range(derived.slots)]
            last = beat["newest"] and n == beat["count"] - 1
            yield of_slots, beat["t"] + n, beat["block"], beat["layer"], last


def serial(ctx, dut: Drain):
    payload = dut.o.payload
    sink = ctx.get(payload.sink)
    names = ("slot", "block") if sink is Sink.VALUE else ("row", "shift")
    rest = tuple(ctx.get(payload[name]) for name in names)
    return sink, ctx.get(payload.layer), ctx.get(payload.sum), rest


def scores(ctx, dut: Drain):
    found = [ctx.get(total) for total in dut.scores.sums]
    names = ("t", "block", "layer", "last")
    return found, *(ctx.get(dut.scores[name]) for name in names)


def put(ctx, dut: Drain, beat: dict, sums: list[int], shifts: list[int]) -> None:
    ctx.set(dut.sums, sums)
    ctx.set(dut.shifts, shifts)
    ctx.set(dut.beat, beat)
    ctx.set(dut.i_valid, 1)


@costly
@given(st.data())
def test_results_in_order_without_padding(data):
    config = data.draw(small_configs)
    passes = data.draw(st.lists(captures(config), min_size=1, max_size=5))
    readies = iter(data.draw(st.lists(st.booleans(), max_size=60)))
    holds = iter(data.draw(st.lists(st.booleans(), max_size=60)))
    bubbles = iter(data.draw(st.lists(st.integers(0, 3), max_size=5)))
    dut = Drain(config)

    async def testbench(ctx):
        left = list(passes)
        to_come = [each for one in passes for each in expected_serial(config, *one)]
        scores_to_come = [each for one in passes for each in expected_scores(config, *one[:2])]
        wait = next(bubbles, 0)
        cycle, gate_parity, up_is_next = 0, None, False
        idle = 0
        while idle < 3:
            ctx.set(dut.i_valid, 0)
            if left and wait == 0:
                put(ctx, dut, *left[0])
            # Only logits can stall: whoever waits behind them waits as a whole.
            is_logit = ctx.get(dut.o.payload.sink) == Sink.CLS
            ready = next(readies, True) or not is_logit
            hold = next(holds, False)
            ctx.set(dut.o.ready, ready)
            ctx.set(dut.hold, hold)
            if ctx.get(dut.o.valid):
                found = serial(ctx, dut)
                assert found == to_come[0]
                assert not (found[0] is Sink.VALUE and hold)
                if found[0] is Sink.W13 and config.geometry.lanes > 1:
                    is_up = found[3][0] % 2
                    assert is_up == up_is_next
                    gate_parity = (cycle + is_up) % 2 if gate_parity is None else gate_parity
                    assert (cycle + is_up) % 2 == gate_parity
                if ready:
                    to_come.pop(0)
                    left_in_pass = to_come and to_come[0][0] is Sink.W13
                    up_is_next = bool(left_in_pass and to_come[0][3][0] % 2)
            if ctx.get(dut.scores_valid):
                assert scores(ctx, dut) == scores_to_come.pop(0)
            captured = ctx.get(dut.i_valid) and ctx.get(dut.i_ready)
            await ctx.tick()
            cycle += 1
            assert cycle < 10_000
            if captured:
                left.pop(0)
                wait = next(bubbles, 0)
            elif wait:
                wait -= 1
            idle = 0 if left or to_come or scores_to_come else idle + 1

    simulate(dut, testbench)


def test_a_pass_occupies_the_drain_for_count_cycles():
    for config in SMALL:
        lanes, slots = config.geometry.lanes, derive(config).slots
        dut = Drain(config)
        still = [0] * lanes
        passes = [dict(sink=Sink.WO, row=0, count=n, last=1) for n in range(1, lanes + 1)]
        passes += [dict(sink=Sink.SCORE, count=n, last=1) for n in range(1, lanes // slots + 1)]
        passes += [dict(sink=Sink.VALUE, count=lanes, last=1)]

        async def testbench(ctx, dut=dut, passes=passes, still=still):
            ctx.set(dut.o.ready, 1)
            put(ctx, dut, passes[0], still, still)
            await ctx.tick()
            for now, then in zip(passes, [*passes[1:], passes[0]], strict=True):
                put(ctx, dut, then, still, still)
                # The next capture shares the last cycle.
                for cycle in range(now["count"]):
                    offers = ctx.get(dut.scores_valid if now["sink"] is Sink.SCORE else dut.o.valid)
                    assert offers or now["sink"] is Sink.VALUE
                    assert ctx.get(dut.i_ready) == (cycle == now["count"] - 1)
                    await ctx.tick()

        simulate(dut, testbench)


def test_gates_wait_for_an_even_cycle():
    config = SMALL[0]
    still = [0] * config.geometry.lanes
    for delay in range(4):
        dut = Drain(config)

        async def testbench(ctx, dut=dut, delay=delay):
            ctx.set(dut.o.ready, 1)
            for _ in range(delay):
                await ctx.tick()
            put(ctx, dut, dict(sink=Sink.W13, row=0, count=2), still, still)
            await ctx.tick()
            ctx.set(dut.i_valid, 0)
            if delay % 2 == 0:  # one more cycle, so 2 after capture
                assert not ctx.get(dut.o.valid)
                await ctx.tick()
            for row in range(2):
                assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.row) == row
                await ctx.tick()
            assert not ctx.get(dut.o.valid)

        simulate(dut, testbench)
