"""The configuration for a checkpoint; its formats are calibrated once per content, and cached."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from golden import float_decoder
from golden import ranges as ranges_module
from golden.checkpoint import Checkpoint
from golden.ranges import Progress, Ranges, numerics_for, positions_for, ranges, with_room
from golden.tensors import LazyTensor
from spec.config import CONFIGS, Config, Numerics, named
from tools.errors import BadInput
from tools.files import write_atomically
from tools.sources import ROOT, SOURCES

#: Cached ranges of each model, by its content.
FOLDER = ROOT / "build" / "calibrations"
#: Choices of `config_for`.
NUMERICS = ("default", "int8", "calibrated")
#: Results of calibration by the content of the model: stories260K, and the model of this
#: repository.
KNOWN = {
    "cf1968423ee2de1f69c6174bf1d9543d": named("stories260k").numerics,
    "f4db829696ca65138c4b166e1bda5344": dataclasses.replace(
        named("tales260k").numerics, v_gains=(2, 0, 0, 0, 0), up_gains=(1, 1, 0, 0, 0)
    ),
}


def content_hash(checkpoint: Checkpoint) -> str:
    """A digest of shape and weights, independent of how they are stored."""
    total = hashlib.blake2b(digest_size=16)
    total.update(repr(dataclasses.asdict(checkpoint.shape)).encode())
    for name, tensor in sorted(checkpoint.weights.items()):
        if name == "wcls" and checkpoint.shared:
            continue
        total.update(f"{name}\0".encode())
        stacked = isinstance(tensor, LazyTensor) and tensor.ndim > 2
        for part in (tensor[n] for n in range(len(tensor))) if stacked else (tensor,):
            total.update(np.ascontiguousarray(np.asarray(part), "<f4").data)
    return total.hexdigest()


def ranges_of(
    checkpoint: Checkpoint, positions: int, digest: str, progress: Callable[[], Progress] | None
) -> Ranges:
    """The ranges over `positions` of the model, cached in `FOLDER` by its content.

    `progress` makes the progress callback; it is called only on a cache miss.
    """
    code = [
        SOURCES.digest_of(Path(str(module.__file__))) for module in (ranges_module, float_decoder)
    ]
    key = hashlib.blake2b(json.dumps([digest, positions, *code]).encode(), digest_size=16)
    path = FOLDER / f"{key.hexdigest()}.json"
    try:
        return Ranges(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        seen = ranges(checkpoint, positions, progress=progress and progress())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(dataclasses.asdict(seen), indent=1) + "\n")
    except (BadInput, OSError):
        pass  # without a cache, they are computed again next time
    return seen


def calibrated(
    checkpoint: Checkpoint,
    config: Config,
    positions: int | None = None,
    progress: Callable[[], Progress] | None = None,
) -> Config:
    """`config` with the formats calibrated for `checkpoint`, by default on `positions_for`."""
    return _calibrated(checkpoint, config, positions, content_hash(checkpoint), progress)


def _calibrated(
    checkpoint: Checkpoint,
    config: Config,
    positions: int | None,
    digest: str,
    progress: Callable[[], Progress] | None,
) -> Config:
    seen = ranges_of(checkpoint, positions or positions_for(checkpoint), digest, progress)
    return with_room(config.with_numerics(numerics_for(seen, config.numerics)), seen)


def config_for(
    checkpoint: Checkpoint,
    *,
    lanes: int | None = None,
    numerics: str = "default",
    progress: Callable[[], Progress] | None = None,
) -> Config:
    """The configuration for `checkpoint`: the named instance of its shape, if one exists.

    Its formats are calibrated, or taken from `KNOWN`. `numerics` "int8" selects int8 instead of
    16-bit weights, "calibrated" calibrates models in `KNOWN`, too. `progress` makes the progress
    callback of a calibration. Raises :class:`BadInput` for other names.
    """
    if numerics not in NUMERICS:
        raise BadInput(f"numerics = {numerics!r} is not one of {', '.join(NUMERICS)}")
    same_shape = (config for config in CONFIGS.values() if config.shape == checkpoint.shape)
    config = next(same_shape, None) or Config(name="custom", shape=checkpoint.shape)
    if lanes is not None:
        config = config.with_lanes(lanes)
    bits = 8 if numerics == "int8" else 16
    digest = content_hash(checkpoint)
    if digest in KNOWN and numerics != "calibrated":
        return config.with_numerics(dataclasses.replace(KNOWN[digest], weight_bits=bits))
    config = config.with_numerics(Numerics(weight_bits=bits))
    return _calibrated(checkpoint, config, None, digest, progress)
