"""Models of what lies around the array: the entrance of beats, pass buffer and drain."""

from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.utils import exact_log2

from design.beat import Sink
from design.drain import Drain
from design.issue import Issue
from design.pass_buffer import PassBuffer
from formal.model import Model
from properties.beat_order import BeatOrder
from properties.dialect import OneOf, implies
from properties.drain import DrainOrder, DrainTiming
from properties.operand_routing import OperandsRouted
from properties.operands import OperandsExist
from properties.pass_buffer import PassFair, PassOrder
from spec.config import Config
from spec.derived import derive


def pass_order(config: Config) -> Model:
    buffer = PassBuffer(config)
    return Model(buffer, PassOrder(buffer))


def pass_fair(config: Config) -> Model:
    """The buffer as it is; no reset, which would lose a pass."""
    buffer = PassBuffer(config)
    theorem = PassFair(buffer)
    return Model(buffer, theorem, resets=False, outputs=theorem.outputs())


def drain_order(config: Config, *, bare: bool = False) -> Model:
    """The column holds what has not left, the chosen lane's sum among it.

    `bare` claims nothing of the inside: a planted bug must break the theorem itself.
    """
    dut = Drain(config)
    column = Array(each.sum for each in dut.column)
    shifts = Array(each.shift for each in dut.column)
    lane, middle = dut.lane, len(dut.column) // 2

    def invariants(theorem: DrainOrder) -> Mapping[str, Value]:
        at = (theorem.lane - lane)[: len(theorem.lane)]
        folded = theorem.beat.folded
        total = (theorem.left + Mux(folded, theorem.right, 0))[: len(theorem.left)].as_signed()
        ahead = Mux(
            at == 0,
            column[0] == total,
            (column[at] == theorem.left)
            & implies(folded, column[(at + middle)[: len(at)]] == theorem.right),
        )
        waits = (dut.remaining != 0) & (lane <= theorem.lane)
        # Of scores, each slot's lanes move on together.
        is_score = theorem.beat.sink == Sink.SCORE
        counted = is_score | (theorem.lane < lane + dut.remaining)
        return {
            **_drains(config, dut, theorem),
            "column": implies(waits & counted, ahead & (shifts[at] == theorem.shift)),
        }

    return Model(dut, DrainOrder(config, dut, _none if bare else invariants))


def drain_timing(config: Config, *, bare: bool = False) -> Model:
    """While nothing is waited for, age and rest make up the limit; `bare` as in `drain_order`."""
    dut = Drain(config)

    def invariants(theorem: DrainTiming) -> Mapping[str, Value]:
        occupied = dut.remaining != 0
        is_value = theorem.beat.sink == Sink.VALUE
        in_time = (theorem.age > 0) & (theorem.age + theorem.rest <= theorem.limit + 1)
        steady = implies(is_value, dut.lane + 1 == theorem.age)
        counted = implies(~is_value, theorem.rest >= dut.remaining)
        return {
            **_drains(config, dut, theorem),
            "in_time": implies(theorem.smooth & occupied, in_time & steady & counted),
        }

    return Model(dut, DrainTiming(config, dut, _none if bare else invariants))


def _none(theorem: Any) -> Mapping[str, Value]:
    return {}


def _drains(config: Config, dut: Drain, theorem: Any) -> dict[str, Value]:
    """Where the drain is follows from what has left; behind the values, padding may be left."""
    derived, lanes = derive(config), config.geometry.lanes
    lane, remaining, beat = dut.lane, dut.remaining, theorem.beat
    bits = exact_log2(derived.per_slot)
    slot, element = lane >> bits, lane & (derived.per_slot - 1)
    padding = element >= theorem.elements
    behind = (slot >= theorem.heads) | ((slot == theorem.heads - 1) & padding)
    comes = Mux(
        padding,
        (theorem.slot == slot + 1) & (theorem.element == 0),
        (theorem.slot == slot) & (theorem.element == element),
    )
    values = (lane + remaining == lanes) & Mux(
        theorem.works,
        (remaining != 0) & (theorem.slot < theorem.heads) & comes,
        (remaining == 0) | behind,
    )
    rows = (theorem.works == (remaining != 0)) & implies(
        theorem.works, (lane == theorem.place) & (lane + remaining == beat.count)
    )
    # What may leave was decided in the cycle before, from its readies.
    turn, held = derived.turn, remaining != 0
    takes_turns = (beat.sink == Sink.W13) | ((beat.sink == Sink.QKV) & (turn > 1))
    in_phase = theorem.drain.phase == Mux((beat.row + theorem.place)[0], turn, 0)
    leaves = implies(takes_turns, in_phase) & theorem.factors()
    full = implies(beat.sink == Sink.VALUE, beat.count == lanes)
    captured = implies(
        remaining != 0,
        full
        & implies(beat.folded, (beat.sink != Sink.SCORE) & (beat.sink != Sink.VALUE))
        & implies(beat.folded, derived.slots > 1)
        & implies(
            beat.sink == Sink.VALUE,
            (beat.d < config.shape.head_dim) & (beat.d & (derived.v_word - 1) == 0),
        )
        & (beat.block < derived.head_blocks)
        & (beat.count <= (lanes >> beat.folded))
        & implies(beat.sink == Sink.SCORE, (beat.count <= derived.per_slot) & ~beat.folded)
        & (beat.row & (lanes - 1) == 0),
    )
    return {
        "beat": dut.held_beat.as_value() == beat.as_value(),
        "captured": captured,
        "flags": (dut.occupied == held) & (dut.is_last == (remaining == 1)),
        "leaves_as_decided": implies(held, dut.leaves == leaves),
        "place": Mux(
            beat.sink == Sink.VALUE, implies(theorem.works | (remaining != 0), values), rows
        ),
    }


def beat_order(config: Config) -> Model:
    """Shows the theorem the place at the entrance, and the steps of the pipeline."""
    dut = Issue(config)
    places = [
        (dut.waits, dut.waiting.as_value()),
        (dut.beats.valid[0], dut.read.p.as_value()),
        (dut.beats.valid[1], dut.fetch.p.as_value()),
        (dut.o.valid, dut.o.p.beat.as_value()),
    ]
    return Model(dut, BeatOrder(dut, places))


def operands_exist(config: Config) -> Model:
    """Shows the theorem which steps of the pipeline hold a beat, and the one at the entrance."""
    dut = Issue(config)
    theorem = OperandsExist(
        dut,
        dim=config.shape.dim,
        reads=dut.beats.valid[0],
        fetches=dut.beats.valid[1],
        waits=dut.waits,
        waiting=dut.waiting,
        takes_weights=dut.needs_weights,
    )
    return Model(dut, theorem)


def operands_routed(config: Config, *, lane: int | None = None) -> Model:
    """The pipeline as it is; any lane, or the one that is fixed (the last is -1)."""
    dut = Issue(config)
    lanes = config.geometry.lanes
    chosen = OneOf(lanes, "lane", fixed=None if lane is None else lane % lanes)
    return Model(dut, OperandsRouted(config, dut, lane=chosen))
