"""The classifier's end: logits out, and the first index of the greatest kept on the way."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from design.beat import Sink
from design.drain import Drain
from design.memories import Purpose, Ram
from design.pipeline import flow
from design.ports import logit_layout, trace_layout
from design.tracing import record
from design.writeback import Writeback, result_layout
from spec.config import Config
from spec.trace import Tensor


class Argmax(wiring.Component):
    """Passes logits to the host in a short queue, and finds the first index of their maximum.

    Latency: 0 cycles (`latency`) to `o_logits` when the queue is empty; `done` comes with the last
    logit. The queue holds `depth` logits: 2, and those that may leave the drain before `ready`
    tells it not to, and are not in the queue yet, ``Drain.decision_latency +
    Writeback.scaled_latency`` = 6 (`on_their_way`).

    Members
    -------
    i : In(flow(result_layout))
        Scaled results from `Writeback`; those for other sinks are ignored.
    ready : Out(1)
        The queue has room for one more logit, beside those on their way from the drain.
    fault : Out(1)
        A logit comes and finds no room.
    o_logits : Out(stream)
    best : Out(range(vocab))
        First index of the maximum, valid from the cycle after `done` on.
    done : Out(1)
        One-cycle pulse: all logits were taken.
    trace : Out(ArrayLayout(record, 1))
        LOGITS.

    Inside (for proofs)
    -------------------
    queue : SyncFIFO
    greatest
        The maximum so far.
    """

    latency = 0
    on_their_way = Drain.decision_latency + Writeback.scaled_latency
    depth = on_their_way + 2

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "i": In(flow(result_layout(config))),
                "ready": Out(1),
                "fault": Out(1),
                "o_logits": Out(stream.Signature(logit_layout(config))),
                "best": Out(range(config.shape.vocab)),
                "done": Out(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), 1)),
            }
        )
        logit = logit_layout(config)
        self.queue = SyncFIFO(width=logit.size, depth=self.depth)
        self.greatest = Signal(logit["value"].shape)

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [Ram.of_queue("queue", self.queue, Purpose.ACTIVATION)]

    def elaborate(self, platform):
        m = Module()
        last_row = self.config.shape.vocab - 1
        logit = Signal(self.o_logits.payload.shape())
        greatest = self.greatest
        take = Signal()
        m.submodules.queue = queue = self.queue
        m.d.comb += [
            take.eq(self.i.valid & (self.i.p.sink == Sink.CLS)),
            logit.value.eq(self.i.p.value),
            logit.last.eq(self.i.p.row == last_row),
            queue.w_en.eq(take & (queue.r_rdy | ~self.o_logits.ready)),
            queue.w_data.eq(logit),
            self.ready.eq(queue.level <= self.depth - self.on_their_way - 1),
            self.fault.eq(take & ~queue.w_rdy),
            self.o_logits.valid.eq(queue.r_rdy | take),
            self.o_logits.payload.eq(Mux(queue.r_rdy, queue.r_data, logit.as_value())),
            queue.r_en.eq(self.o_logits.ready),
            record(
                self.trace[0],
                valid=take,
                tensor=Tensor.LOGITS,
                layer=0,
                index=self.i.p.row,
                value=logit.value,
            ),
        ]
        taken = self.o_logits.valid & self.o_logits.ready
        m.d.comb += self.done.eq(taken & self.o_logits.payload.last)
        with m.If(take & ((self.i.p.row == 0) | (logit.value > greatest))):
            m.d.sync += [greatest.eq(logit.value), self.best.eq(self.i.p.row)]
        return m
