"""The memories that a decoder is made of: the one place that declares them.

Whoever adds, drops or reshapes a memory says so here. `synth` compares the list with the memories
that the tools find in the synthesised netlist, and how they map them.
"""

from design.argmax import Argmax
from design.arith import ram_depth
from design.biases import bias_width
from design.interpolate import entry_layout
from design.kv_reader import BUFFER
from design.memory import Memory, table, vector
from design.operand import operand_layout
from design.rope import ANGLES
from design.swiglu import waiting_ups
from spec import tables
from spec.config import CacheBacking, Config
from spec.derived import ceil_div, derive
from spec.kv_layout import kv_layout
from spec.schedule import Op, matrix


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


def _interpolated(name: str, function: tables.Interpolated) -> Memory:
    return table(f"{name}.memory", len(function.base), entry_layout(function).size)


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
        vector("residual.memory", shape.dim, n.residual.width),
        *(
            vector(f"x.memory_{half}", shape.dim // halves, operand_layout(n.residual).size)
            for half in range(halves)
        ),
        vector("attention.memory_0", shape.q_dim, n.attention.width),
        vector("hidden.memory_0", shape.hidden, operand_layout(n.ffn).size),
        *(
            vector(f"queries.slot_{slot}", derived.head_blocks * shape.head_dim, n.q.width)
            for slot in range(derived.slots)
        ),
        *(
            [vector("writeback.biases.memory", matrix(config, Op.BIAS).rows, bias_width(config))]
            if shape.qkv_bias
            else []
        ),
        vector("swiglu.ups.storage", waiting_ups(config), n.up.width),
        vector("argmax.queue.storage", Argmax.depth, n.logits.width + 1),
    ]
    exp2 = len(tables.exp2(config))
    lookups = [
        _interpolated("rmsnorm.rsqrt", tables.rsqrt(config)),
        _interpolated("reciprocals.reciprocal", tables.reciprocal(config)),
        _interpolated("swiglu.sigmoid", tables.sigmoid(config)),
        *ANGLES[n.rope_by].memories(config),
        *(table(f"softmax.exp2_{slot}", exp2, n.weight.f) for slot in range(derived.slots)),
    ]
    return [*cache_memories(config), *activations, *scores, *lookups]
