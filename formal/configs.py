"""The configurations that theorems are proved for: named decoders, and these at other widths.

How many lanes there are decides what a word holds, whether passes are split over two halves of the
lanes, and how many blocks of heads there are; a theorem at one width says nothing of the others.
"""

import dataclasses

from design.config import CONFIGS, Config, Numerics

_NANO, _STORIES260K = CONFIGS["nano"], CONFIGS["stories260k"]


def _named(name: str, config: Config) -> Config:
    return dataclasses.replace(config, name=name)


#: ``nano@N`` and ``stories260k@N`` have N lanes, `nano_int8` has weights of 8 bits.
PROOF_CONFIGS: dict[str, Config] = CONFIGS | {
    config.name: config
    for config in (
        *(_named(f"nano@{lanes}", _NANO.with_lanes(lanes)) for lanes in (1, 2, 8, 16, 32)),
        _named("nano_int8", _NANO.with_numerics(Numerics(weight_bits=8))),
        _named("stories260k@64", _STORIES260K.with_lanes(64)),
    )
}
