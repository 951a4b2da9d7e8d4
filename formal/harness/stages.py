"""The decoder's stages and its layer sequencer, as devices with a handshake."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.utils import exact_log2

from design.arith import times_constant
from design.beat import Kind, to_sink
from design.sequencer import IDLE, STATES, LayerSequencer
from design.stages.projection import ProjectionStage
from design.stages.score import ScoreStage
from design.stages.value import ValueStage
from formal.harness import stage as handshake
from formal.harness import token
from formal.harness.inside import registers, state_exists, states
from formal.harness.stage import Device
from formal.model import Model
from properties.dialect import implies
from properties.done_pulse import Handshake
from properties.layer_order import LayerOrder
from properties.loops import RowsLeftCovered
from properties.positions import ScorePositions, ValuePositions
from properties.scheduled_beats import ScheduledBeats, bias_of, known_op
from properties.start_ignored import StartIgnored
from spec.config import Config
from spec.derived import ceil_div, derive
from spec.layer_plan import Attend, Stage, Work, layer_plan
from spec.schedule import Op, matrix, ops


def projection(config: Config) -> Device:
    """Beats left follow from the row and the column of the beat on offer."""
    dut = ProjectionStage(config)
    inside = Fragment.get(dut, None)  # its FSM is made there
    lanes, share = config.geometry.lanes, derive(config).header_passes
    beat, working = dut.o.payload, dut.o.valid
    matrices = {op: matrix(config, op) for op in ops(config)}

    def invariants(pending: Sequence[Value]) -> Mapping[str, Value]:
        number = beat.row >> exact_log2(lanes)
        consistent = []
        for op, spec in matrices.items():
            half = spec.cols // 2
            columns = times_constant(spec.whole_passes - number, spec.cols)
            left = columns + spec.folded_passes * half + spec.headers - number // share
            folded = (number == spec.whole_passes) & spec.folded_passes
            right = Cat(
                dut.last_column == spec.cols - 1,
                dut.folded_rows == spec.folded_rows,
                dut.rows_left == spec.rows - beat.row,
                beat.row < spec.rows,
                beat.column < Mux(folded, half, spec.cols),
                Mux(
                    beat.kind == Kind.HEADER,
                    (dut.remaining == left) & (beat.column == 0) & (number % share == 0),
                    (dut.remaining == left - 1 - beat.column)
                    & (beat.shift_index == number % share),
                ),
            ).all()
            mine = (beat.sink == to_sink(op)) & (bias_of(beat) == (op is Op.BIAS))
            consistent.append(mine & right)
        return {
            "counters": implies(working, Cat(consistent).any()),
            "state_exists": state_exists(dut.fsm),
            "whole_passes": implies(working, beat.row & (lanes - 1) == 0),
            "idle_is_empty": working == (dut.remaining != 0),
            "done_is_idle": implies(dut.done, ~working),
        }

    return Device(
        dut=dut,
        inside=inside,
        measure=dut.remaining,
        bound=max(spec.beats for spec in matrices.values()),
        promises={"op_is_projection": implies(dut.start, known_op(dut))},
        active=working | dut.done,
        invariants=invariants,
    )


def score(config: Config) -> Device:
    """Beats left follow from the position and the element of the beat on offer."""
    dut = ScoreStage(config)
    shape, word = config.shape, exact_log2(derive(config).k_word)
    beat, working, pos = dut.o.payload, dut.o.valid, dut.own_pos

    def invariants(pending: Sequence[Value]) -> Mapping[str, Value]:
        words = (pos >> word) - (beat.t >> word) + 1
        return {
            "counters": implies(
                working,
                (beat.t >> word <= pos >> word)
                & (beat.d < shape.head_dim)
                & (dut.remaining + beat.d == times_constant(words, shape.head_dim)),
            ),
            "idle_is_empty": working == (dut.remaining != 0),
            "done_is_idle": implies(dut.done, ~working),
        }

    return Device(
        dut=dut,
        measure=dut.remaining,
        bound=ceil_div(shape.seq_len, 1 << word) * shape.head_dim,
        promises={"pos_in_range": implies(dut.start, dut.pos < shape.seq_len)},
        active=working | dut.done,
        invariants=invariants,
    )


def value(config: Config) -> Device:
    """Beats left follow from the position and the element of the beat on offer."""
    dut = ValueStage(config)
    shape, derived = config.shape, derive(config)
    word = exact_log2(derived.v_word)
    beat, working, pos = dut.o.payload, dut.o.valid, dut.own_pos

    def invariants(pending: Sequence[Value]) -> Mapping[str, Value]:
        # The position is no constant: its multiple for each number of words left.
        index = beat.d >> word
        counted = [
            (index == done)
            & (dut.remaining + beat.t == times_constant(pos + 1, derived.v_words - done))
            for done in range(derived.v_words)
        ]
        return {
            "counters": implies(working, (beat.t <= pos) & Cat(counted).any()),
            "pos_in_range_inside": pos < shape.seq_len,
            "idle_is_empty": working == (dut.remaining != 0),
            "done_is_idle": implies(dut.done, ~working),
        }

    return Device(
        dut=dut,
        measure=dut.remaining,
        bound=derived.v_words * shape.seq_len,
        promises={"pos_in_range": implies(dut.start, dut.pos < shape.seq_len)},
        active=working | dut.done,
        invariants=invariants,
    )


def layer(config: Config) -> Device:
    """A stage after the other: what is left are the stages, and each ends when it says so."""
    dut = LayerSequencer(config)
    inside = Fragment.get(dut, None)  # its FSM is made there
    fsm, state = dut.fsm, states(dut.fsm)
    plan = layer_plan(config)
    most = len(plan.stages)
    # Of a stage of the attention, those of the blocks behind it are left, too.
    left: dict[Work, Any] = {
        work: most + 1 - plan.number(Stage(work)) - (2 * dut.own_block if work in Attend else 0)
        for work in plan.works
    }
    runs: dict[Work, str] = {Attend.SCORES: "score", Attend.VALUES: "value"}
    children = ("projection", "score", "value")

    measure = Signal(range(most + 1))
    glue = Module()
    with glue.Switch(fsm.state):
        for work, stages in left.items():
            with glue.Case(fsm.encoding[STATES[work]]):
                glue.d.comb += measure.eq(stages)

    def invariants(pending: Sequence[Value]) -> Mapping[str, Value]:
        # In each state its child, and no other, is at work.
        expected = {
            STATES[work]: 1 << children.index(runs.get(work, "projection")) for work in plan.works
        } | {IDLE: 0}
        return {
            "child_of_the_state": Cat(
                state[name] & (Cat(pending) == child) for name, child in expected.items()
            ).any(),
            "state_exists": state_exists(fsm),
            "block_in_range": dut.own_block < plan.blocks,
        }

    return Device(
        dut=dut,
        inside=inside,
        glue=glue,
        measure=measure,
        bound=most,
        children=[
            Handshake(child, getattr(dut, f"{child}_start"), getattr(dut, f"{child}_done"))
            for child in children
        ],
        # Its done comes with the last stage's, before it is idle.
        starts_apart=True,
        active=fsm.state != fsm.encoding[IDLE],
        invariants=invariants,
    )


DEVICES: dict[str, Callable[[Config], Device]] = {
    "projection": projection,
    "score": score,
    "value": value,
    "layer": layer,
    "token": token.device,
}


def _device(config: Config, device: str, bare: bool = False) -> Device:
    found = DEVICES[device](config)
    return handshake.bare(found) if bare else found


def done_pulse(config: Config, *, device: str, bare: bool = False) -> Model:
    return handshake.done_pulse(_device(config, device, bare))


def done_ranking(config: Config, *, device: str, bare: bool = False) -> Model:
    return handshake.done_ranking(_device(config, device, bare))


def done_fair(config: Config, *, device: str) -> Model:
    return handshake.done_fair(_device(config, device))


def scheduled_beats(config: Config) -> Model:
    device = projection(config)
    dut: Any = device.dut
    return Model(dut, ScheduledBeats(config, dut, device.invariants), inside=device.inside)


def rows_left(config: Config) -> Model:
    device = projection(config)
    dut: Any = device.dut
    theorem = RowsLeftCovered(config, dut, dut.rows_left, device.invariants(()))
    return Model(dut, theorem, inside=device.inside)


def positions(config: Config, *, stage: str) -> Model:
    device = DEVICES[stage](config)
    dut: Any = device.dut
    theorem = {"score": ScorePositions, "value": ValuePositions}[stage]

    def invariants(pos: Value) -> Mapping[str, Value]:
        return {**device.invariants(()), "pos_is_kept": ~dut.o.valid | (dut.own_pos == pos)}

    return Model(dut, theorem(config, dut, invariants))


def layer_order(config: Config) -> Model:
    """The states of the layer sequencer are the numbers of the stages."""
    dut, plan = LayerSequencer(config), layer_plan(config)
    inside = Fragment.get(dut, None)  # its FSM is made there
    state, block = states(dut.fsm), dut.own_block
    numbers = {
        work: plan.number(Stage(work)) + (2 * block if work in Attend else 0) for work in plan.works
    }

    def invariants(running: Value) -> Mapping[str, Value]:
        known = [state[IDLE] & (running == 0)]
        known += [
            state[STATES[work]] & (running == n) & implies(work in plan.before, block == 0)
            for work, n in numbers.items()
        ]
        return {"state_is_the_number": Cat(known).any(), "block_in_range": block < plan.blocks}

    return Model(dut, LayerOrder(dut, plan, invariants), inside=inside)


def start_ignored(config: Config, *, device: str, bare: bool = False) -> Model:
    """Two devices side by side; `bare` claims nothing of their insides."""
    one, other = (_device(config, device) for _ in range(2))
    insides = [each.inside or Fragment.get(each.dut, None) for each in (one, other)]
    named = [{each.name: each for each in registers(inside)} for inside in insides]
    glue = Module()
    glue.submodules += [insides[1], *(each.glue for each in (one, other) if each.glue)]
    strays = Signal()
    glue.d.comb += strays.eq(one.dut.start & other.active & ~other.dut.done)
    pairs = {}
    ports = zip(
        one.dut.signature.flatten(one.dut), other.dut.signature.flatten(other.dut), strict=True
    )
    for (path, member, here), (_, _, there) in ports:
        here, there = Value.cast(here), Value.cast(there)
        if member.flow == wiring.Out:
            pairs["__".join(map(str, path))] = (here, there)
        else:
            glue.d.comb += there.eq(here & ~strays if path == ("start",) else here)
    held = {name: (register, named[1][name]) for name, register in named[0].items()}
    theorem = StartIgnored(pairs=pairs, inside={} if bare else held, strays=strays)
    return Model(one.dut, theorem, inside=insides[0], glue=glue)
