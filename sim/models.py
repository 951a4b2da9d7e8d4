"""From what the command line names to what can run: checkpoint, configuration, decoders."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from design.config import Config, named
from design.errors import BadInput
from design.shape import SIZES, Shape
from golden.calibrate import config_for
from golden.checkpoint import Checkpoint, random_checkpoint
from golden.checkpoints import load_checkpoint
from golden.fixed_decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.image import pack
from golden.progress import calibrating
from golden.quantise import Model
from golden.tokenizers import Tokenizer
from sim.rtl_decoder import RtlDecoder

Backend = Literal["float", "fixed", "rtl"]


@dataclass
class Counters:
    """What an RTL run cost; zero for the other back ends."""

    cycles: int = 0
    macs: int = 0
    build_seconds: float | None = None


def random_model(sizes: str, seed: int) -> Checkpoint:
    """A random checkpoint from ``dim,hidden,layers,heads,kv_heads,vocab,seq_len``."""
    parts = sizes.split(",")
    if len(parts) != len(SIZES) or not all(part.strip().isdecimal() for part in parts):
        raise BadInput(f"--random = {sizes!r} must be {len(SIZES)} integers {','.join(SIZES)}")
    return random_checkpoint(Shape.of_sizes(*map(int, parts)), seed)


def open_checkpoint(path: Path | None, sizes: str | None, seed: int) -> Checkpoint:
    """The checkpoint in a file, or the random one: exactly one must be asked for."""
    if (path is None) == (sizes is None):
        raise BadInput("name either a CHECKPOINT file or --random SIZES")
    if sizes is not None:
        return random_model(sizes, seed)
    assert path is not None
    return load_checkpoint(path)


def configure(checkpoint: Checkpoint, name: str | None, numerics: str) -> Config:
    """The configuration to run with; `name` must be one of the checkpoint's own shape."""
    if name is not None and named(name).shape != checkpoint.shape:
        raise BadInput(
            f"--config = {name!r} has {named(name).shape}, the checkpoint has {checkpoint.shape}"
        )
    return config_for(checkpoint, numerics=numerics, progress=calibrating(checkpoint))


def prompt_ids(prompt: str, tokenizer: Tokenizer | None, shape: Shape) -> list[int]:
    """BOS and the tokens of `prompt`, or what to begin with; they must leave room for one more."""
    ids = tokenizer.encode(prompt) if tokenizer is not None else []
    ids = ids or [shape.first_id]
    if len(ids) > shape.seq_len:
        raise BadInput(f"--prompt has {len(ids)} tokens, seq_len = {shape.seq_len}")
    return ids


def chosen_steps(steps: int | None, shape: Shape, *, endless: bool = False) -> int:
    """The number of steps asked for, which a text has 1 to seq_len of (at least 1 if `endless`)."""
    if steps is None:
        return min(256, shape.seq_len)
    if steps < 1 or (steps > shape.seq_len and not endless):
        raise BadInput(f"--steps = {steps} must be 1 to seq_len = {shape.seq_len}")
    return steps


def float_step(checkpoint: Checkpoint) -> Callable[[int], np.ndarray]:
    """token -> logits (V,) of the float reference."""
    decoder = FloatDecoder(checkpoint, 1, np.float32)
    return lambda token: decoder.step(np.array([token]))[0]


def fixed_step(model: Model) -> Callable[[int], np.ndarray]:
    """token -> logits (V,) of the golden decoder, as numbers."""
    decoder = FixedDecoder(model, 1)
    scale = model.config.numerics.logits.scale
    return lambda token: decoder.step(np.array([token]))[0] / scale


@contextlib.contextmanager
def rtl_decoder(model: Model, stalls: int | None, counters: Counters) -> Iterator[RtlDecoder]:
    """A simulation of the decoder with the weights of `model`."""
    with RtlDecoder(model.config, pack(model), "fast", stalls) as rtl:
        counters.build_seconds = rtl.build.seconds
        yield rtl
