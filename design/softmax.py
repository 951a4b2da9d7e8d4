"""The first half of the softmax: scores in, weights exp2(score - maximum) out."""

from dataclasses import dataclass

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from design.arith import ram_depth
from design.beat import beat_layout
from design.drain import scores_layout
from design.memories import Purpose, Ram
from design.pipeline import flow
from design.ports import trace_layout
from design.requantize import GUARD_BITS, guard, requantize, round_guarded, shift_guarded
from design.tracing import head_position, record, slot_head
from spec import tables
from spec.config import Config
from spec.derived import derive
from spec.trace import Tensor

#: What is kept of a row of scores beside the scores and their position, while they are stored.
_BESIDE = ("block", "layer", "last")


@dataclass(frozen=True, kw_only=True)
class SlotPorts:
    """The ports of a slot's memories: scores are written and read, the table is looked up."""

    write: WritePort
    read: ReadPort
    lookup: ReadPort


def totals_signature(config: Config) -> wiring.Signature:
    """What is known of the weights of a block when the last was added.

    Members
    -------
    sums : Out(ArrayLayout(unsigned(softmax_sum_width), slots))
    maxima : Out(ArrayLayout(signed(score.width), slots))
    block, layer : Out
        Whose they are.
    first : Out(1)
        The first weight is added in this cycle.
    complete : Out(1)
        One-cycle pulse: the last weight was added in the cycle before.
    """
    derived, beat = derive(config), beat_layout(config)
    total, maximum = unsigned(derived.softmax_sum_width), signed(config.numerics.score.width)
    return wiring.Signature(
        {
            "sums": Out(data.ArrayLayout(total, derived.slots)),
            "maxima": Out(data.ArrayLayout(maximum, derived.slots)),
            "block": Out(beat["block"].shape),
            "layer": Out(beat["layer"].shape),
            "first": Out(1),
            "complete": Out(1),
        }
    )


class Softmax(wiring.Component):
    """Per slot: a score memory, the running maximum, an exp2 table and the sum of weights.

    The score pass fills the memory and finds the maximum; the value pass reads it, once for
    every value word, and gets one weight per slot and enabled cycle.

    Latency: a score is stored 1 cycle after it comes (`store_latency`). What is read is shown 1
    cycle later (`read_latency`) and goes on with `en`, and its weights come 3 enabled cycles after
    that (`latency`: distance to the maximum, table, shift).

    Members
    -------
    clear : In(1)
        A new score pass begins: forget maxima and `ready`.
    scores : In(flow(scores_layout))
        Raw scores from the drain.
    ready : Out(1)
        All scores up to the newest position are stored and the maxima are final.
    en : In(1)
        Clock enable of the pipeline behind the score memories.
    rd_en, rd_t : In
        Read the scores of this position: the pipeline takes them from the next cycle on.
    weights : Out(ArrayLayout(unsigned(weight.f), slots))
    adds : In(flow(beat_layout))
        Sum the weights that are out now, those of this beat; its `first` begins a new sum.
    totals : Out(totals_signature)
    trace : Out
        SCORE and WEIGHT of every slot.

    Inside (for proofs)
    -------------------
    stored, stored_t
        Scores are stored in this cycle, and of which position.
    empty
        No score of this pass was stored: there is no maximum.
    score, held, octaves : lists, of each slot
        The score that is stored; one that was read, behind a register; and then, of its distance
        from the maximum, the whole octaves.
    memories, tables : lists, of each slot
        The scores, and exp2.
    ports : list of SlotPorts, of each slot
    """

    store_latency = 1
    read_latency = 1
    latency = 3

    def __init__(self, config: Config):
        self.config = config
        derived, n = derive(config), config.numerics
        super().__init__(
            {
                "clear": In(1),
                "scores": In(flow(scores_layout(config))),
                "ready": Out(1),
                "en": In(1),
                "rd_en": In(1),
                "rd_t": In(range(config.shape.seq_len)),
                "weights": Out(data.ArrayLayout(unsigned(n.weight.f), derived.slots)),
                "adds": In(flow(beat_layout(config))),
                "totals": Out(totals_signature(config)),
                "trace": Out(data.ArrayLayout(trace_layout(config), 2 * derived.slots)),
            }
        )
        slots, score, exp2 = range(derived.slots), signed(n.score.width), tables.exp2(config)
        self.stored = Signal()
        self.stored_t = Signal.like(self.scores.p.t)
        self.empty = Signal(init=1)
        self.score = [Signal(score, name=f"score_{slot}") for slot in slots]
        self.held = [Signal(score, name=f"held_{slot}") for slot in slots]
        self.octaves = [Signal(range(n.weight.width + 1), name=f"octaves_{slot}") for slot in slots]
        self.memories = [
            Memory(shape=score, depth=ram_depth(config.shape.seq_len), init=[]) for _ in slots
        ]
        self.tables = [
            Memory(shape=unsigned(n.weight.f), depth=len(exp2), init=exp2) for _ in slots
        ]
        self.ports = []
        for memory, table in zip(self.memories, self.tables, strict=True):
            write = memory.write_port()
            read = memory.read_port(transparent_for=(write,))
            lookup = table.read_port()
            self.ports.append(SlotPorts(write=write, read=read, lookup=lookup))

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        kinds = (
            ("scores", self.memories, Purpose.SCORE),
            ("exp2", self.tables, Purpose.TABLE),
        )
        return [
            Ram.of(f"{name}_{slot}", memory, purpose)
            for name, memories, purpose in kinds
            for slot, memory in enumerate(memories)
        ]

    def elaborate(self, platform):
        m = Module()
        config, derived, n = self.config, derive(self.config), self.config.numerics
        stored, empty = self.stored, self.empty
        row = {"t": self.stored_t}
        scores, totals, adds = self.scores.p, self.totals, self.adds
        row |= {name: Signal.like(scores[name], name=f"stored_{name}") for name in _BESIDE}
        m.d.sync += stored.eq(self.scores.valid)
        with m.If(self.scores.valid):
            m.d.sync += [kept.eq(scores[name]) for name, kept in row.items()]
        with m.If(self.clear):
            m.d.sync += [self.ready.eq(0), empty.eq(1)]
        with m.Elif(stored):
            m.d.sync += [self.ready.eq(row["last"]), empty.eq(0)]

        m.d.comb += totals.first.eq(adds.valid & adds.p.first)
        m.d.sync += totals.complete.eq(adds.valid & adds.p.last)
        with m.If(adds.valid):
            m.d.sync += [totals.block.eq(adds.p.block), totals.layer.eq(adds.p.layer)]

        score_shift = n.q.f + n.k.f - n.score.f
        for slot in range(derived.slots):
            score, held, octaves = self.score[slot], self.held[slot], self.octaves[slot]
            with m.If(self.scores.valid):
                m.d.sync += score.eq(
                    requantize(scores.sums[slot], score_shift, n.score, n.rounding)
                )
            maximum = totals.maxima[slot]
            with m.If(stored & (empty | (score > maximum))):
                m.d.sync += maximum.eq(score)

            m.submodules[f"scores_{slot}"] = self.memories[slot]
            write, read = self.ports[slot].write, self.ports[slot].read
            m.d.comb += [
                write.en.eq(stored),
                write.addr.eq(row["t"]),
                write.data.eq(score),
                read.en.eq(self.rd_en),
                read.addr.eq(self.rd_t),
            ]

            # RAM is slow: a register is all there is behind it. Then how far below the maximum:
            # whole octaves shift, the fraction indexes the table.
            below = Signal(n.score.width, name=f"below_{slot}")
            m.submodules[f"exp2_{slot}"] = self.tables[slot]
            lookup = self.ports[slot].lookup
            whole = below[n.score.f :]
            m.d.comb += [
                below.eq(maximum - held),
                lookup.en.eq(self.en),
                lookup.addr.eq(below[: n.score.f]),
            ]
            # Behind the table only a choice of four shifts; the rest, and rounding, behind a
            # register.
            fours = Signal(2, name=f"fours_{slot}")
            shifted = Signal(n.weight.f + GUARD_BITS, name=f"shifted_{slot}")
            rest = Signal(range(max(4, n.weight.width + 1 - 4 * 3)), name=f"rest_{slot}")
            m.d.comb += fours.eq(Mux(octaves[4:].any(), 3, octaves[2:4]))
            with m.If(self.en):
                m.d.sync += [
                    held.eq(read.data),
                    octaves.eq(Mux(whole > n.weight.width, n.weight.width, whole)),
                    shifted.eq(shift_guarded(guard(lookup.data), Cat(C(0, 2), fours))),
                    rest.eq(octaves - Cat(C(0, 2), fours)),
                ]
            m.d.comb += self.weights[slot].eq(
                round_guarded(shift_guarded(shifted, rest), n.rounding)
            )
            with m.If(adds.valid):
                m.d.sync += totals.sums[slot].eq(
                    Mux(adds.p.first, 0, totals.sums[slot]) + self.weights[slot]
                )

            seen = slot_head(config, row["block"], slot)
            used = slot_head(config, adds.p.block, slot)
            m.d.comb += [
                record(
                    self.trace[2 * slot],
                    valid=stored & seen.exists,
                    tensor=Tensor.SCORE,
                    layer=row["layer"],
                    index=head_position(config, seen.head, row["t"]),
                    value=score,
                ),
                record(
                    self.trace[2 * slot + 1],
                    valid=adds.valid & used.exists,
                    tensor=Tensor.WEIGHT,
                    layer=adds.p.layer,
                    index=head_position(config, used.head, adds.p.t),
                    value=self.weights[slot],
                ),
            ]
        return m
