"""What a reset does to the whole decoder."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *

from properties.dialect import Paths, Theorem, implies
from properties.leaks import apart_from_handshakes


@dataclass(eq=False)
class ResetIsPowerOn(Theorem):
    """A cycle of reset, in any state, leads back to idle: every register has its power-on value,
    nothing is under way, offered or taken, and the decoder waits for a token.

    `decoder` has the signature of `design.decoder.Decoder`. `registers` are all that statements
    drive; what memories hold and show is not among them. `under_way` says of beats, sums and
    results, wherever they are, that there is one; `working` of stages and sequencers.
    """

    decoder: Any
    _: KW_ONLY
    registers: Sequence[Signal]
    under_way: Sequence[Value]
    working: Sequence[Value]

    def describe(self, m: Module) -> None:
        decoder = self.decoder
        # High behind every cycle of reset, and at power-on, since that is what it is reset to.
        was_reset = Signal(init=1)
        m.d.sync += was_reset.eq(0)
        offered = [
            getattr(decoder, name).valid
            for name in ("o_token", "o_fetch", "o_logits", "o_kv_read", "o_kv_write")
        ]

        at_power_on = Cat(each == Const(each.init, each.shape()) for each in self.registers).all()
        self.claim(
            "power_on",
            implies(was_reset, at_power_on),
            "Every register is as at power-on: what is true from there on is true from here on.",
        )
        self.claim(
            "idle",
            implies(was_reset, ~Cat(self.working).any()),
            "No stage works, nor does a sequencer.",
        )
        self.claim(
            "empty",
            implies(was_reset, ~Cat(self.under_way).any()),
            "No beat, sum or result is on its way.",
        )
        self.claim(
            "waits_for_a_token",
            implies(was_reset, decoder.i_token.ready),
            "A token is taken as soon as it comes.",
        )
        moving = Cat(offered, decoder.i_weights.ready).any()
        self.claim(
            "silent",
            implies(was_reset, ~moving),
            "Nothing is offered on any stream, and no weights are taken.",
        )
        counts = Cat(decoder.cycles, decoder.macs, decoder.fault).any()
        self.claim(
            "counters",
            implies(was_reset, ~counts),
            "The counters begin again, and no fault is remembered.",
        )

        interrupted = Signal(reset_less=True)
        m.d.sync += interrupted.eq(Cat(self.under_way).any())
        self.witness(
            "interrupted", was_reset & interrupted, "A reset comes while beats are under way."
        )


class ResetForgets(Paths):
    """Nothing that a memory held at a reset reaches a handshake, a counter, `fault` or an address
    of the cache port, in any number of cycles, but through one register: whether the answer that
    the host took last ended its text.

    So after a reset the decoder makes the handshakes of one that was just powered on, in every
    cycle, as long as their inputs and the `end`s of the answers that were taken are equal. `shown`
    is what the memories show at every port, and what is written to them later counts, too: no word
    decides anything, ever.

    `decoder` has the signature of `design.decoder.Decoder`, `argmax` is its `design.argmax.Argmax`.
    `ended` is that register. The other cutpoint is `last` of the logits, which waits in a memory:
    `LastIsNew` claims that only rows decide it, and those are apart from the memories, too.
    """

    def __init__(self, decoder: Any, *, shown: Sequence[Value], argmax: Any, ended: Value):
        super().__init__()
        kept = Cat(shown)
        # Paid for by the claim `end_is_taken` of `leaks.end_is_taken`.
        self.cut("ended", ended)
        # Paid for by the claim `last_is_new` of `reset.last_is_new`, and by `rows_to_argmax` below.
        self.cut("last_logit", decoder.o_logits.payload.last)
        apart_from_handshakes(self, decoder, kept)
        # What decides `last`.
        self.apart("rows_to_argmax", kept, Cat(argmax.i.valid, argmax.i.p.sink, argmax.i.p.row))
        self.reaches("memories_to_logits", kept, decoder.o_logits.payload.value)
