"""The decoder's signature: payloads of its streams, its counters and its trace."""

from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Member, Out

from spec.config import CacheBacking, Config
from spec.derived import derive
from spec.kv_layout import kv_layout
from spec.schedule import image
from spec.trace import Tensor, sizes

#: Bits of the cycle and multiply-accumulate counters; they wrap.
COUNTER_BITS = 48
#: Bits of a traced value, sign-extended.
TRACE_VALUE_BITS = 32


def token_in_layout(config: Config) -> data.StructLayout:
    """One token to process.

    `first`: it begins a sequence (position 0); else it follows the token before.
    `sample`: run the classifier and choose the next token; a prompt token that is not the last
    leaves it low.
    """
    return data.StructLayout({"id": range(config.shape.vocab), "first": 1, "sample": 1})


def token_out_layout(config: Config) -> data.StructLayout:
    """The answer to one token: exactly one goes out for each that comes in.

    `id`: first index of the greatest logit (the input's own id when it was not sampled).
    `sampled`: the classifier ran. `end`: the text ends here, since the chosen id is one of
    `Shape.end_ids` or the context is full; the next token must be a `first` (it is treated as one
    if it is not).
    """
    return data.StructLayout({"id": range(config.shape.vocab), "sampled": 1, "end": 1})


def fetch_layout(config: Config) -> data.StructLayout:
    """A run of `beats` beats of the weight image from beat `address`, to be streamed in order."""
    beats = image(config).beats
    return data.StructLayout({"address": range(beats), "beats": range(beats + 1)})


#: Most beats of a read request of the cache port.
KV_BURST = 16


def kv_words_layout(config: Config) -> data.ArrayLayout:
    """One beat of the external cache: `kv_layout` says which element is which."""
    return data.ArrayLayout(signed(derive(config).kv_width), kv_layout(config).elements)


def kv_read_layout(config: Config) -> data.StructLayout:
    """A burst of 1 to `KV_BURST` beats from beat `address`, to be brought in order."""
    external = config.geometry.cache is CacheBacking.EXTERNAL
    return data.StructLayout(
        {
            "address": range(kv_layout(config).beats),
            "beats": range(KV_BURST + 1 if external else 0),
        }
    )


def kv_write_layout(config: Config) -> data.StructLayout:
    """Store those elements of `data` whose bit of `strobe` is high into beat `address`."""
    layout = kv_layout(config)
    return data.StructLayout(
        {
            "address": range(layout.beats),
            "data": kv_words_layout(config),
            "strobe": layout.elements,
        }
    )


def kv_members(config: Config) -> dict[str, Member]:
    """The cache port: the memory behind a cache that is `CacheBacking.EXTERNAL`.

    `o_kv_read` : Out(stream)
        Read requests, see `kv_read_layout`.
    `i_kv_words` : In(stream)
        The beats of those requests, in order; always taken at once.
    `o_kv_write` : Out(stream)
        Writes, see `kv_write_layout`.
    `i_kv_written` : In(1)
        The oldest write not yet acknowledged is done: a read request taken after this cycle
        sees it. Of a write on its way nothing is promised, and the decoder reads no beat that
        has one.

    When the cache lies on the chip no stream ever moves, and the payloads have no bits.
    """
    return {
        "o_kv_read": Out(stream.Signature(kv_read_layout(config))),
        "i_kv_words": In(stream.Signature(kv_words_layout(config))),
        "o_kv_write": Out(stream.Signature(kv_write_layout(config))),
        "i_kv_written": In(1),
    }


def logit_layout(config: Config) -> data.StructLayout:
    """One logit, in order of token id; `last` with the last."""
    return data.StructLayout({"value": signed(config.numerics.logits.width), "last": 1})


def weights_layout(config: Config) -> data.ArrayLayout:
    """One beat of the weight stream: element n is for lane n."""
    return data.ArrayLayout(signed(config.numerics.weight_bits), config.geometry.lanes)


def trace_layout(config: Config) -> data.StructLayout:
    """One trace record; meaningful in the cycles in which `valid` is high."""
    return data.StructLayout(
        {
            "valid": 1,
            "tensor": range(len(Tensor)),
            "layer": range(max(config.shape.layers, 2)),
            "index": range(max(sizes(config).values())),
            "value": signed(TRACE_VALUE_BITS),
        }
    )


class DecoderSignature(wiring.Signature):
    """The ports of `design.decoder.Decoder`.

    Members
    -------
    i_token, o_token
        Token in, token out: see `token_in_layout`, `token_out_layout`.
    o_fetch
        Which beats of the weight image `i_weights` must bring next: two runs a token.
    i_weights
        The weight image, `lanes` weights a beat.
    o_kv_read, i_kv_words, o_kv_write, i_kv_written
        The memory of an external KV cache: see `kv_members`.
    o_logits
        Every logit of a sampled token; tie `ready` high where nobody samples on the host.
    cycles
        Cycles spent with a token in flight, since reset.
    macs
        Weight and attention multiply-accumulates done, padding excluded, since reset.
    fault
        Stays high once something happened that the data flow of the decoder rules out: two units
        asked one scalar multiplier, or a result found no place. Simulation fails on it; hardware
        may leave it unconnected.
    trace
        As many records as a cycle can bring. Passive; costs nothing when left unconnected.
    """

    def __init__(self, config: Config, *, records: int = 0):
        self.config = config
        super().__init__(
            {
                "i_token": In(stream.Signature(token_in_layout(config))),
                "i_weights": In(stream.Signature(weights_layout(config))),
                "o_fetch": Out(stream.Signature(fetch_layout(config))),
                "o_token": Out(stream.Signature(token_out_layout(config))),
                "o_logits": Out(stream.Signature(logit_layout(config))),
                **kv_members(config),
                "cycles": Out(COUNTER_BITS),
                "macs": Out(COUNTER_BITS),
                "fault": Out(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), records)),
            }
        )
