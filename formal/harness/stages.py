"""The decoder's stages and its layer sequencer, as devices with a handshake."""

from collections.abc import Callable, Mapping, Sequence

from amaranth import *
from amaranth.utils import exact_log2

from design.arith import times_constant
from design.beat import Kind, to_sink
from design.config import Config
from design.derived import ceil_div, derive
from design.schedule import Op, matrix
from design.sequencer import LayerSequencer
from design.stages.projection import ProjectionStage
from design.stages.score import ScoreStage
from design.stages.value import ValueStage
from formal.harness import stage
from formal.harness.stage import Device, look_inside, state_exists
from formal.model import Model
from properties.dialect import implies


def projection(config: Config) -> Device:
    """Beats left follow from the row and the column of the beat on offer."""
    dut = ProjectionStage(config)
    inside, hidden = look_inside(dut)
    lanes = exact_log2(config.geometry.lanes)
    beat, working = dut.o.payload, dut.o.valid
    matrices = {to_sink(op): matrix(config, op) for op in Op}

    def invariants(pending: Sequence[Value]) -> Mapping[str, Value]:
        consistent = []
        for sink, spec in matrices.items():
            passes = spec.passes - (beat.row >> lanes)
            left = times_constant(passes, 1 + spec.cols)
            right = Cat(
                hidden["last_column"] == spec.cols - 1,
                hidden["rows_left"] == spec.rows - beat.row,
                beat.row < spec.rows,
                beat.column < spec.cols,
                Mux(
                    beat.kind == Kind.HEADER,
                    (dut.remaining == left) & (beat.column == 0),
                    dut.remaining == left - 1 - beat.column,
                ),
            ).all()
            consistent.append((beat.sink == sink) & right)
        return {
            "counters": implies(working, Cat(consistent).any()),
            "state_exists": state_exists(inside),
            "whole_passes": beat.row & (config.geometry.lanes - 1) == 0,
            "idle_is_empty": working == (dut.remaining != 0),
            "done_is_idle": implies(dut.done, ~working),
        }

    known = Cat(dut.op == sink for sink in matrices).any()
    return Device(
        dut=dut,
        inside=inside,
        measure=dut.remaining,
        bound=max(spec.beats for spec in matrices.values()),
        promises={"op_is_projection": implies(dut.start, known)},
        active=working | dut.done,
        invariants=invariants,
    )


def score(config: Config) -> Device:
    """Beats left follow from the position and the element of the beat on offer."""
    dut = ScoreStage(config)
    inside, hidden = look_inside(dut)
    shape, word = config.shape, exact_log2(derive(config).k_word)
    beat, working, pos = dut.o.payload, dut.o.valid, hidden["pos"]

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
        inside=inside,
        measure=dut.remaining,
        bound=ceil_div(shape.seq_len, 1 << word) * shape.head_dim,
        promises={"pos_in_range": implies(dut.start, dut.pos < shape.seq_len)},
        active=working | dut.done,
        invariants=invariants,
    )


def value(config: Config) -> Device:
    """Beats left follow from the position and the element of the beat on offer."""
    dut = ValueStage(config)
    inside, hidden = look_inside(dut)
    shape, derived = config.shape, derive(config)
    word = exact_log2(derived.v_word)
    beat, working, pos = dut.o.payload, dut.o.valid, hidden["pos"]

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
        inside=inside,
        measure=dut.remaining,
        bound=derived.v_words * shape.seq_len,
        promises={"pos_in_range": implies(dut.start, dut.pos < shape.seq_len)},
        active=working | dut.done,
        invariants=invariants,
    )


def layer(config: Config) -> Device:
    """Each stage takes the cycle that starts it and the one in which it answers; waits between."""
    dut = LayerSequencer(config)
    inside, _ = look_inside(dut)
    fsm = inside.find_generated("fsm")
    blocks = derive(config).head_blocks
    after_attention = ("S4", "S5 gate and up", "S5 down")
    left = {name: len(after_attention) - n for n, name in enumerate(after_attention)}
    left["S1"] = 1 + 2 * blocks + len(after_attention)
    left["S2"] = (blocks - dut.block) * 2 + len(after_attention)
    left["S3"] = left["S2"] - 1
    runs = dict.fromkeys(left, "projection") | {"S2": "score", "S3": "value"}
    children = ("projection", "score", "value")
    starts = Cat(getattr(dut, f"{child}_start") for child in children)

    measure = Signal(range(2 * left["S1"] + 1))
    glue = Module()
    with glue.Switch(fsm.state):
        for name, stages in left.items():
            with glue.Case(fsm.encoding[name]):
                glue.d.comb += measure.eq(2 * stages - 1 + starts.any())

    def invariants(pending: Sequence[Value]) -> Mapping[str, Value]:
        # In each state its child, and no other, is being started or at work.
        at_work = Cat(*(start ^ flag for start, flag in zip(starts, pending, strict=True)))
        both = Cat(*(start & flag for start, flag in zip(starts, pending, strict=True)))
        expected = {name: 1 << children.index(child) for name, child in runs.items()} | {"Idle": 0}
        return {
            "child_of_the_state": Cat(
                (fsm.state == fsm.encoding[name]) & (at_work == child)
                for name, child in expected.items()
            ).any(),
            "not_started_while_at_work": both == 0,
            "state_exists": state_exists(inside),
            "block_in_range": dut.block < blocks,
            "done_is_idle": implies(dut.done, fsm.state == fsm.encoding["Idle"]),
        }

    return Device(
        dut=dut,
        inside=inside,
        glue=glue,
        measure=measure,
        bound=2 * left["S1"],
        children=children,
        active=(fsm.state != fsm.encoding["Idle"]) | dut.done,
        invariants=invariants,
    )


DEVICES: dict[str, Callable[[Config], Device]] = {
    "projection": projection,
    "score": score,
    "value": value,
    "layer": layer,
}


def done_pulse(config: Config, *, device: str) -> Model:
    """Safety."""
    return stage.done_pulse(DEVICES[device](config))


def done_ranking(config: Config, *, device: str) -> Model:
    """Liveness by measure."""
    return stage.done_ranking(DEVICES[device](config))


def done_fair(config: Config, *, device: str) -> Model:
    """Liveness by liveness-to-safety."""
    return stage.done_fair(DEVICES[device](config))
