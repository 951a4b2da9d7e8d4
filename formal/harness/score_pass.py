"""Models of the softmax: a score from its pass to its weight."""

from typing import Any

from amaranth import *

from design.arith import pick
from design.issue import Issue
from design.softmax import Softmax
from formal.model import Model
from properties.score_pass import ScoresBelowMaximum, SumIncludesTheMaximum
from properties.score_reads import ScoreOfItsBeat
from spec.config import Config
from spec.derived import derive


def _pass(config: Config, theorem_of: Any, **more: Any) -> tuple[Softmax, Any, Module]:
    """The unit, the theorem about any slot of it, and the glue between. Adds to the memories of
    scores a combinational port at the theorem's place."""
    dut = Softmax(config)
    ports = [memory.read_port(domain="comb") for memory in dut.memories]
    theorem = theorem_of(
        dut,
        slots=derive(config).slots,
        seq_len=config.shape.seq_len,
        stores=dut.stored,
        stores_t=dut.stored_t,
        empty=dut.empty,
        **more,
    )
    glue = Module()
    glue.d.comb += [port.addr.eq(theorem.place) for port in ports]
    for own, each in (
        (theorem.maximum, list(dut.totals.maxima)),
        (theorem.held, dut.held),
        (theorem.shown, [port.read.data for port in dut.ports]),
        (theorem.at_place, [port.data for port in ports]),
    ):
        glue.d.comb += own.eq(pick(each, theorem.slot))
    return dut, theorem, glue


def below_maximum(config: Config) -> Model:
    dut, theorem, glue = _pass(config, ScoresBelowMaximum)
    return Model(dut, theorem, glue=glue)


def sum_includes_the_maximum(config: Config) -> Model:
    """The unit as it is; adds to its tables a port at distance 0."""
    greatest = config.numerics.weight.max
    dut, theorem, glue = _pass(config, SumIncludesTheMaximum, greatest=greatest)
    ports = [table.read_port(domain="comb") for table in dut.tables]
    glue.d.comb += [port.addr.eq(0) for port in ports]
    for own, each in (
        (theorem.score, dut.score),
        (theorem.octaves, dut.octaves),
        (theorem.looked_up, [port.lookup.data for port in dut.ports]),
        (theorem.first_entry, [port.data for port in ports]),
        (theorem.weight, list(dut.weights)),
        (theorem.total, list(dut.totals.sums)),
    ):
        glue.d.comb += own.eq(pick(each, theorem.slot))
    return Model(dut, theorem, glue=glue)


def score_of_its_beat(config: Config) -> Model:
    dut = Issue(config)
    theorem = ScoreOfItsBeat(
        dut,
        waits=dut.waits,
        waiting=dut.waiting,
        enters=dut.enter,
        stages=[
            (dut.beats.valid[0], dut.read.p),
            (dut.beats.valid[1], dut.fetch.p),
            (dut.o.valid, dut.o.p.beat),
        ],
    )
    return Model(dut, theorem)
