"""Opens what the command line names: checkpoint, tokenizer, configuration, decoders."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from golden.calibrate import config_for
from golden.checkpoint import Checkpoint, random_checkpoint
from golden.checkpoints import DEFAULT, load_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.image import pack
from golden.progress import calibrating
from golden.quantise import Model
from golden.tokenizers import Tokenizer, load_tokenizer, tokenizer_of
from sim.rtl_decoder import RtlDecoder
from spec.config import Config, named
from spec.shape import SIZES, Shape
from tools.errors import BadInput

Backend = Literal["float", "fixed", "rtl"]


@dataclass
class Counters:
    """Counters of an RTL run; zero for the other back ends."""

    cycles: int = 0
    macs: int = 0
    build_seconds: float | None = None


def random_model(sizes: str, seed: int) -> Checkpoint:
    """A random checkpoint from ``dim,hidden,layers,heads,kv_heads,vocab,seq_len``."""
    parts = sizes.split(",")
    if len(parts) != len(SIZES) or not all(part.strip().isdecimal() for part in parts):
        raise BadInput(f"--random = {sizes!r} must be {len(SIZES)} integers {','.join(SIZES)}")
    return random_checkpoint(Shape.of_sizes(*map(int, parts)), seed)


def open_model(path: Path | None, sizes: str | None, seed: int) -> tuple[Checkpoint, Path | None]:
    """The model at `path`, by default the repository's own, with its path; or a random one."""
    if sizes is not None:
        if path is not None:
            raise BadInput(f"name either MODEL = {str(path)!r} or --random = {sizes!r}")
        return random_model(sizes, seed), None
    path = path or DEFAULT
    return load_checkpoint(path), path


def open_tokenizer(named: Path | None, model: Path | None, shape: Shape) -> Tokenizer:
    """The tokenizer at `named`, else the one in or beside `model`."""
    if named is not None:
        return load_tokenizer(named, shape.vocab)
    if model is None:
        raise BadInput("a random model has no tokenizer: name one by --tokenizer")
    return tokenizer_of(model, shape.vocab)


def configure(checkpoint: Checkpoint, name: str | None, numerics: str) -> Config:
    """The configuration to run with; `name`, if given, must have the checkpoint's shape."""
    if name is not None and named(name).shape != checkpoint.shape:
        raise BadInput(
            f"--config = {name!r} has {named(name).shape}, the checkpoint has {checkpoint.shape}"
        )
    return config_for(checkpoint, numerics=numerics, progress=calibrating(checkpoint))


def prompt_ids(
    prompt: str, tokenizer: Callable[[], Tokenizer], shape: Shape, *, chat: bool = False
) -> list[int]:
    """The tokens of `prompt` after BOS, or of a `chat` with `prompt` as the user's message.

    Without a prompt, the first id of a text; `tokenizer`, which opens one, is then not called. At
    most seq_len tokens.
    """
    if chat and not prompt:
        raise BadInput("--chat needs a --prompt, the user's message")
    if chat:
        ids = tokenizer().chat([{"role": "user", "content": prompt}])
    else:
        ids = tokenizer().encode(prompt) if prompt else []
    ids = ids or [shape.first_id]
    if len(ids) > shape.seq_len:
        raise BadInput(f"--prompt has {len(ids)} tokens, seq_len = {shape.seq_len}")
    return ids


#: Default number of steps of a text, and of a comparison.
TEXT_STEPS, COMPARED_STEPS = 512, 256


def chosen_steps(steps: int | None, shape: Shape, default: int, *, endless: bool = False) -> int:
    """`steps`, checked to be 1 to seq_len (at least 1 if `endless`); `default` if None."""
    if steps is None:
        return min(default, shape.seq_len)
    if steps < 1 or (steps > shape.seq_len and not endless):
        raise BadInput(f"--steps = {steps} must be 1 to seq_len = {shape.seq_len}")
    return steps


def float_step(checkpoint: Checkpoint) -> Callable[[int], np.ndarray]:
    """token -> logits (V,) of the float reference."""
    decoder = FloatDecoder(checkpoint, 1, np.float32)
    return lambda token: decoder.step(np.array([token]))[0]


def fixed_step(model: Model) -> Callable[[int], np.ndarray]:
    """token -> logits (V,) of the golden decoder, in real units."""
    decoder = FixedDecoder(model, 1)
    scale = model.config.numerics.logits.scale
    return lambda token: decoder.step(np.array([token]))[0] / scale


@contextlib.contextmanager
def rtl_decoder(model: Model, stalls: int | None, counters: Counters) -> Iterator[RtlDecoder]:
    """A simulation of the decoder with the weights of `model`."""
    with RtlDecoder(model.config, pack(model), "fast", stalls) as rtl:
        counters.build_seconds = rtl.build.seconds
        yield rtl
