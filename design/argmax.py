"""The classifier's end: logits out, and the first index of the greatest kept on the way."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from design.beat import Sink
from design.config import Config
from design.ports import logit_layout, trace_layout
from design.trace import Tensor
from design.tracing import record
from design.writeback import result_layout


class Argmax(wiring.Component):
    """Passes logits to the host as they come, and finds the first index of their maximum.

    Latency: 0 to `o_logits`; `done` comes 1 cycle after the last logit was taken.

    Members
    -------
    i_valid, i : In
        Results from `Writeback`; those for other sinks are ignored.
    o_stall : Out(1)
        The result at hand is a logit that nobody takes in this cycle.
    o_logits : Out(stream)
    best : Out(range(vocab))
        First index of the maximum, valid from `done` on.
    done : Out(1)
        One-cycle pulse: all logits were taken.
    trace : Out
        LOGITS.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "i_valid": In(1),
                "i": In(result_layout(config)),
                "o_stall": Out(1),
                "o_logits": Out(stream.Signature(logit_layout(config))),
                "best": Out(range(config.shape.vocab)),
                "done": Out(1),
                "trace": Out(trace_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        last_row = self.config.shape.vocab - 1
        logit = Signal.like(self.o_logits.payload.value)
        greatest = Signal.like(logit)
        taken = Signal()
        m.d.comb += [
            logit.eq(self.i.value),
            self.o_logits.valid.eq(self.i_valid & (self.i.sink == Sink.CLS)),
            self.o_logits.payload.value.eq(logit),
            self.o_logits.payload.last.eq(self.i.row == last_row),
            taken.eq(self.o_logits.valid & self.o_logits.ready),
            self.o_stall.eq(self.o_logits.valid & ~self.o_logits.ready),
            record(
                self.trace,
                valid=taken,
                tensor=Tensor.LOGITS,
                layer=0,
                index=self.i.row,
                value=logit,
            ),
        ]
        m.d.sync += self.done.eq(taken & self.o_logits.payload.last)
        with m.If(taken & ((self.i.row == 0) | (logit > greatest))):
            m.d.sync += [greatest.eq(logit), self.best.eq(self.i.row)]
        return m
