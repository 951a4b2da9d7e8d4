"""The memories that a decoder is made of: the one place that declares them.

Whoever adds, drops or reshapes a memory says so here. `synth` compares the list with the memories
that the tools find in the synthesised netlist, and how they map them.
"""

from dataclasses import dataclass
from typing import Literal

from design.argmax import Argmax
from design.arith import ram_depth
from design.biases import bias_width
from design.interpolate import entry_layout
from design.kv_reader import BUFFER
from design.operand import operand_layout
from design.swiglu import waiting_ups
from spec import tables
from spec.config import CacheBacking, Config
from spec.derived import ceil_div, derive
from spec.kv_layout import kv_layout
from spec.schedule import Op, matrix

Purpose = Literal["cache", "activation", "score", "table"]

#: A memory of at least so many bits is to lie in block RAM; of a smaller one the tools may make
#: RAM of LUTs, and of a smaller table logic. Half of what a block holds on ECP5 and 7 series.
BLOCK_BITS = 8192


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One memory of the decoder.

    `lane` are the bits that a write changes on their own; a table has no write port.
    """

    name: str
    """Path of its instance below the decoder, parts joined by dots."""
    purpose: Purpose
    depth: int
    """Words."""
    width: int
    """Bits of a word."""
    lane: int
    reads: int = 1
    writes: int = 1

    @property
    def block_ram(self) -> bool:
        """Whether it must lie in block RAM, on every device."""
        return self.depth * self.width >= BLOCK_BITS


def cache_memories(config: Config) -> list[Memory]:
    """On the chip, a key bank and a value bank for each KV head of each layer.

    Elsewhere, the queue of a row on its way there, and the buffer of words on their way back.
    """
    shape, derived = config.shape, derive(config)
    width = derived.kv_width
    if config.geometry.cache is CacheBacking.EXTERNAL:
        beat = kv_layout(config).elements * width
        sizes = {"writer.queue": (2 * shape.kv_dim, width), "reader.buffer": (BUFFER, beat)}
        return [
            Memory(
                name=f"cache.{name}",
                purpose="cache",
                depth=ram_depth(depth),
                width=bits,
                lane=bits,
            )
            for name, (depth, bits) in sizes.items()
        ]
    words = {
        "key": (derived.k_word, ceil_div(shape.seq_len, derived.k_word) * shape.head_dim),
        "value": (derived.v_word, shape.seq_len * derived.v_words),
    }
    return [
        Memory(
            name=f"cache.layer_{layer}.{kind}_bank_{head}",
            purpose="cache",
            depth=ram_depth(depth),
            width=word * width,
            lane=width,
        )
        for layer in range(shape.layers)
        for kind, (word, depth) in words.items()
        for head in range(shape.kv_heads)
    ]


def _vector(name: str, elements: int, width: int) -> Memory:
    return Memory(
        name=name, purpose="activation", depth=ram_depth(elements), width=width, lane=width
    )


def _table(name: str, entries: int, width: int) -> Memory:
    return Memory(
        name=name, purpose="table", depth=ram_depth(entries), width=width, lane=width, writes=0
    )


def _interpolated(name: str, table: tables.Interpolated) -> Memory:
    return _table(f"{name}.memory", len(table.base), entry_layout(table).size)


def memories(config: Config) -> list[Memory]:
    """Every memory of the decoder."""
    shape, n, derived = config.shape, config.numerics, derive(config)
    scores = [
        Memory(
            name=f"softmax.scores_{slot}",
            purpose="score",
            depth=ram_depth(shape.seq_len),
            width=n.score.width,
            lane=n.score.width,
        )
        for slot in range(derived.slots)
    ]
    halves = 2 if derived.slots > 1 else 1  # a folded pass reads two elements at once
    activations = [
        _vector("residual.memory", shape.dim, n.residual.width),
        *(
            _vector(f"x.memory_{half}", shape.dim // halves, operand_layout(n.residual).size)
            for half in range(halves)
        ),
        _vector("attention.memory_0", shape.q_dim, n.attention.width),
        _vector("hidden.memory_0", shape.hidden, operand_layout(n.ffn).size),
        *(
            _vector(f"queries.slot_{slot}", derived.head_blocks * shape.head_dim, n.q.width)
            for slot in range(derived.slots)
        ),
        *(
            [_vector("writeback.biases.memory", matrix(config, Op.BIAS).rows, bias_width(config))]
            if shape.qkv_bias
            else []
        ),
        _vector("swiglu.ups.storage", waiting_ups(config), n.up.width),
        _vector("argmax.queue.storage", Argmax.depth, n.logits.width + 1),
    ]
    exp2 = len(tables.exp2(config))
    lookups = [
        _interpolated("rmsnorm.rsqrt", tables.rsqrt(config)),
        _interpolated("reciprocals.reciprocal", tables.reciprocal(config)),
        _interpolated("swiglu.sigmoid", tables.sigmoid(config)),
        _table("rope.table", len(tables.rope(config).cos), 2 * n.rope.width),
        *(_table(f"softmax.exp2_{slot}", exp2, n.weight.f) for slot in range(derived.slots)),
    ]
    return [*cache_memories(config), *activations, *scores, *lookups]
