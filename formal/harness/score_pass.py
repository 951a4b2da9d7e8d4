"""Models of the softmax for the way of a score from its pass to its weight."""

from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.utils import ceil_log2

from design.arith import pick
from design.issue import Issue
from design.softmax import Softmax
from formal.harness.stage import look_inside
from formal.model import Model
from properties.score_pass import ScoresBelowMaximum, SumIncludesTheMaximum
from properties.score_reads import ScoreOfItsBeat
from spec.config import Config
from spec.derived import derive


def _shown(memory: Fragment) -> Value:
    """What the read port of a memory shows."""
    (port,) = memory.origins[0].read_ports
    return Value.cast(port.data)


def _word(memory: Fragment, address: Value, like: Value, name: str) -> Signal:
    """What a memory holds at `address`, by a combinational port of its own."""
    word = Signal.like(like, name=name)
    memory.read_port(domain="comb", addr=address, data=word, en=C(1, 1), transparent_for=())
    return word


def _pass(config: Config, theorem_of: Any, **more: Any) -> tuple[Any, Any, Module, dict[str, Any]]:
    """The unit elaborated, the theorem about any slot of it, the glue between, what is inside."""
    slots = range(derive(config).slots)
    dut = Softmax(config)
    inside, hidden = look_inside(dut)
    theorem = theorem_of(
        dut,
        slots=len(slots),
        seq_len=config.shape.seq_len,
        stores=hidden["stored"],
        stores_t=hidden["stored_t"],
        empty=hidden["empty"],
        **more,
    )
    glue = Module()
    memories = [inside.find_subfragment(f"scores_{slot}") for slot in slots]
    address = Signal(ceil_log2(memories[0].origins[0].depth), name="place")
    glue.d.comb += address.eq(theorem.place)
    places = [
        _word(memory, address, theorem.shown, f"at_place_{slot}")
        for slot, memory in enumerate(memories)
    ]
    for own, each in (
        (theorem.maximum, list(dut.maxima)),
        (theorem.held, [hidden[f"held_{slot}"] for slot in slots]),
        (theorem.shown, [_shown(memory) for memory in memories]),
        (theorem.at_place, places),
    ):
        glue.d.comb += own.eq(pick(each, theorem.slot))
    return inside, theorem, glue, hidden


def below_maximum(config: Config) -> Model:
    """The unit as it is."""
    inside, theorem, glue, _ = _pass(config, ScoresBelowMaximum)
    return Model(theorem.softmax, theorem, inside=inside, glue=glue)


def sum_includes_the_maximum(config: Config) -> Model:
    """The unit as it is; adds to its tables a port at distance 0."""
    greatest = config.numerics.weight.max
    inside, theorem, glue, hidden = _pass(config, SumIncludesTheMaximum, greatest=greatest)
    dut = theorem.softmax
    slots = range(len(dut.sums))
    tables = [inside.find_subfragment(f"exp2_{slot}") for slot in slots]
    entries = []
    for slot, table in enumerate(tables):
        address = Signal(config.numerics.score.f, name=f"distance_0_{slot}")
        entries.append(_word(table, address, theorem.first_entry, f"first_entry_{slot}"))
    for own, each in (
        (theorem.score, [hidden[f"score_{slot}"] for slot in slots]),
        (theorem.octaves, [hidden[f"octaves_{slot}"] for slot in slots]),
        (theorem.looked_up, [_shown(table) for table in tables]),
        (theorem.first_entry, entries),
        (theorem.weight, list(dut.weights)),
        (theorem.total, list(dut.sums)),
    ):
        glue.d.comb += own.eq(pick(each, theorem.slot))
    return Model(dut, theorem, inside=inside, glue=glue)


def score_of_its_beat(config: Config) -> Model:
    """The unit as it is."""
    dut = Issue(config)
    inside, hidden = look_inside(dut)
    theorem = ScoreOfItsBeat(
        dut,
        waits=hidden["waits"],
        waiting=dut.o_beat.shape()(hidden["waiting"]),
        enters=hidden["enter"],
        stages=[
            (hidden["read_valid"], dut.read_beat),
            (hidden["fetch_valid"], dut.fetch_beat),
            (dut.o_valid, dut.o_beat),
        ],
    )
    return Model(dut, theorem, inside=inside)
