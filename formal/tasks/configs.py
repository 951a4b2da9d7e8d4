"""The configurations that theorems are proved for: named decoders, and these at other widths.

How many lanes there are decides what a word holds, whether passes are split over two halves of the
lanes, and how many blocks of heads there are; a theorem at one width says nothing of the others.
"""

import dataclasses

from spec.config import CONFIGS, Config, Geometry, Numerics, RopeBy
from spec.fixed import SQ
from spec.shape import Shape

_NANO, _STORIES260K = CONFIGS["nano"], CONFIGS["stories260k"]


def _named(name: str, config: Config) -> Config:
    return dataclasses.replace(config, name=name)


#: Few sizes are powers of two.
_MHA3 = Shape(dim=18, hidden=5, layers=2, heads=3, kv_heads=3, vocab=10, seq_len=11)
#: With so little between two norms, the stages are over before the first of them is done.
_THIN = Shape(dim=8, hidden=1, layers=2, heads=4, kv_heads=1, vocab=4, seq_len=4)
_MQA3 = Shape(dim=6, hidden=5, layers=2, heads=3, kv_heads=1, vocab=10, seq_len=5)
#: Heads wider than dim / heads, biases, two ids that end the text.
_BIAS = Shape.of_sizes(
    4, 5, 2, 3, 1, 10, 5, head_dim=2, qkv_bias=True, norm_epsilon=2e-5, end_ids=(0, 7), bos=None
)
#: Heads of two pairs, and one KV head.
_TWO_PAIRS = Shape.of_sizes(8, 12, 2, 2, 1, 16, 8)

#: Operands of 3 exponents, and of 2.
_WIDE_STATE = Numerics(residual=SQ(10, 12), ffn=SQ(9, 12))

#: ``nano@N`` and ``stories260k@N`` have N lanes, `nano_int8` has weights of 8 bits, `nano_wide` a
#: residual and a hidden vector that are rounded to floating-point operands.
#:
#: nano@1, nano@2 and mha3 have several blocks of heads; mqa3, too, and in the last a slot without
#: a head. From nano@8 on words hold several elements; the last word of a row is not full in mqa3
#: and mha3, nor in mha3 that of a head. There are column-split passes in nano@16, nano@32,
#: stories260k@64 and mqa3. In mqa3 3 query heads share the only KV head, in mha3 none is shared.
#: `rope_cordic` has angles that are computed, and heads of two pairs.
#: `thin` is for the whole decoder alone. Biases are in `nano_bias`, whose heads together have more
#: elements than dim.
PROOF_CONFIGS: dict[str, Config] = CONFIGS | {
    config.name: config
    for config in (
        _named("nano_wide", _NANO.with_numerics(_WIDE_STATE)),
        *(_named(f"nano@{lanes}", _NANO.with_lanes(lanes)) for lanes in (1, 2, 8, 16, 32)),
        _named("nano_int8", _NANO.with_numerics(Numerics(weight_bits=8))),
        Config(name="mha3", shape=_MHA3, geometry=Geometry(lanes=4)),
        Config(name="mqa3", shape=_MQA3, geometry=Geometry(lanes=8)),
        Config(name="thin", shape=_THIN, geometry=Geometry(lanes=16)),
        Config(name="nano_bias", shape=_BIAS, geometry=Geometry(lanes=4)),
        Config(name="rope_cordic", shape=_TWO_PAIRS, geometry=Geometry(lanes=4)).with_rope(
            RopeBy.CORDIC
        ),
        _named("stories260k@64", _STORIES260K.with_lanes(64)),
    )
}

#: Proved in every run: the two shipped decoders, with one element a word, and the least width that
#: has several elements a word and a column-split pass.
CORE = ("nano", "stories260k", "nano@16")
#: Proved besides by ``prove --all``, in the gate and nightly.
WIDE = (
    "nano@1", "nano@2", "nano@8", "nano@32", "nano_int8", "nano_wide", "mha3", "mqa3", "nano_bias",
    "rope_cordic", "stories260k@64",
)  # fmt: skip
#: Those of the table with biases, and those without.
BIASED_CONFIGS = tuple(name for name in (*CORE, *WIDE) if PROOF_CONFIGS[name].shape.qkv_bias)
UNBIASED_CONFIGS = tuple(name for name in (*CORE, *WIDE) if name not in BIASED_CONFIGS)
