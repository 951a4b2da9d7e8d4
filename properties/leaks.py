"""What the timing of the decoder depends on."""

from typing import Any

from amaranth import *
from amaranth.hdl import ValueLike

from properties.dialect import Paths, Theorem


def apart_from_handshakes(theorem: Paths, decoder: Any, sources: ValueLike) -> None:
    """Let `theorem` claim that `sources` reach nothing that the host sees of the decoder's
    timing.
    """
    for name in ("o_token", "o_fetch", "o_logits", "o_kv_read", "o_kv_write"):
        # When the decoder offers anything.
        theorem.apart(f"{name}_offered", sources, getattr(decoder, name).valid)
    for name in ("i_token", "i_weights", "i_kv_words"):
        # When it takes anything.
        theorem.apart(f"{name}_taken", sources, getattr(decoder, name).ready)
    # How long a token takes, what is multiplied for it, whether anything is ruled out.
    theorem.apart("counters", sources, Cat(decoder.cycles, decoder.macs))
    theorem.apart("fault", sources, decoder.fault)
    # What of the cache is asked for, and where it is stored.
    write = decoder.o_kv_write.payload
    requests = Cat(Value.cast(decoder.o_kv_read.payload), write.address, write.strobe)
    theorem.apart("cache_addresses", sources, requests)


class TimingLeaksNothing(Paths):
    """No weight, no cached word and no token id reaches a handshake, a counter, `fault` or an
    address of the cache port, in any number of cycles, but through one register: whether the
    answer that the host took last ended its text.

    So two decoders with different data, but equal stalls, equal `first` and `sample` of their
    tokens and equal `end`s of the answers that were taken, make the same handshakes in every
    cycle. What the choice is before then, or the `end` of an answer that waits, reaches nothing.

    `decoder` has the signature of `design.decoder.Decoder`, `ended` is that register, the cutpoint:
    `EndIsTaken` claims that it holds nothing else.
    """

    def __init__(self, decoder: Any, *, ended: Value):
        super().__init__()
        words = Value.cast(decoder.i_kv_words.payload)
        secrets = Cat(Value.cast(decoder.i_weights.payload), words, decoder.i_token.payload.id)
        # Paid for by the claim `end_is_taken` of `leaks.end_is_taken`.
        self.cut("ended", ended)
        apart_from_handshakes(self, decoder, secrets)

        # Data come out as data, and stalls as handshakes: paths are found where there are some.
        self.reaches("weights_to_logits", decoder.i_weights.payload, decoder.o_logits.payload)
        self.reaches("id_to_address", decoder.i_token.payload.id, decoder.o_fetch.payload.address)
        self.reaches("stalls_to_answer", decoder.i_weights.valid, decoder.o_token.valid)
        if len(words) > 0:
            self.reaches("words_to_logits", words, decoder.o_logits.payload)
            stored = decoder.o_kv_write.payload.data
            self.reaches("weights_to_cache", decoder.i_weights.payload, stored)


class EndIsTaken(Theorem):
    """The one register through which data decide about timing holds, in every cycle, the `end` of
    the answer that the host took last, and is high until there was one.

    `answers` has the stream `o_token`: the decoder, or its token sequencer. `ended` is that
    register.
    """

    def __init__(self, answers: Any, *, ended: Value):
        self.answers = answers.o_token
        self.ended = ended

    def describe(self, m: Module) -> None:
        answers = self.answers
        # The first token after a reset begins a text.
        taken_end = Signal(init=1)
        goes_on = Signal()
        with m.If(answers.valid & answers.ready):
            m.d.sync += [taken_end.eq(answers.payload.end), goes_on.eq(~answers.payload.end)]

        self.claim(
            "end_is_taken",
            self.ended == taken_end,
            "It is what the host saw when it took the answer.",
        )

        self.witness("text_goes_on", goes_on)
        self.witness("text_ends", goes_on & answers.valid & answers.payload.end)
