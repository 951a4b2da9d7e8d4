"""What the timing of the decoder depends on."""

from typing import Any

from amaranth import *
from amaranth.hdl import ValueLike

from properties.dialect import Paths


def apart_from_handshakes(theorem: Paths, decoder: Any, sources: ValueLike) -> None:
    """Let `theorem` claim that there is no way from `sources` to what the host sees of the
    decoder's timing. Obligations: 11.
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
    address of the cache port, in any number of cycles, but through the `end` of an answer.

    So two decoders with different data, but equal stalls, equal `first` and `sample` of their
    tokens and equal `end`s of their answers, make the same handshakes in every cycle.

    `decoder` has the signature of `design.decoder.Decoder`. Obligations: 11.
    """

    def __init__(self, decoder: Any):
        super().__init__()
        words = Value.cast(decoder.i_kv_words.payload)
        secrets = Cat(Value.cast(decoder.i_weights.payload), words, decoder.i_token.payload.id)
        self.cut("end_of_text", decoder.o_token.payload.end)
        apart_from_handshakes(self, decoder, secrets)

        # Data come out as data, and stalls as handshakes: ways are found where there are some.
        self.reaches("weights_to_logits", decoder.i_weights.payload, decoder.o_logits.payload)
        self.reaches("id_to_address", decoder.i_token.payload.id, decoder.o_fetch.payload.address)
        self.reaches("stalls_to_answer", decoder.i_weights.valid, decoder.o_token.valid)
        if len(words) > 0:
            self.reaches("words_to_logits", words, decoder.o_logits.payload)
            stored = decoder.o_kv_write.payload.data
            self.reaches("weights_to_cache", decoder.i_weights.payload, stored)
