"""SmolLM2 in float, golden and RTL: equality, accuracy and speed."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.growth.cycles import Latencies, token_cycles
from benchmarks.growth.limits import Memory
from golden.calibrate import config_for
from golden.case import Case
from golden.checkpoint import Checkpoint
from golden.checkpoints import load_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.quantise import Model, quantise
from golden.tokenizers import Tokenizer, tokenizer_of
from sim.compare import Progress
from sim.replay import Run, run_case
from spec.config import CacheBacking, Config

#: The context for calibration, tables and caches.
CONTEXT = 512
#: No latencies: they are the same with any memory, and cancel in a difference.
_NONE = Latencies(residual=0, rope=0, softmax=0, reciprocal=0, attention=0, swiglu=0, ends=0)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Opened:
    """The model in float and in integers, with its tokenizer."""

    checkpoint: Checkpoint
    model: Model
    tokenizer: Tokenizer


def open_model(path: Path, lanes: int, report: Report) -> Opened:
    """Read, calibrate and quantise the model; `report` gets the name of each step."""
    report("reading")
    stored = load_checkpoint(path)
    shape = dataclasses.replace(stored.shape, seq_len=min(CONTEXT, stored.shape.seq_len))
    checkpoint = dataclasses.replace(stored, shape=shape).in_memory()
    tokenizer = tokenizer_of(path, shape.vocab)
    report("calibrating")
    # External, because on-chip caches of 30 layers would be most of the code to compile.
    config = config_for(checkpoint, lanes=lanes).with_cache(CacheBacking.EXTERNAL)
    report("quantising")
    return Opened(checkpoint, quantise(checkpoint, config), tokenizer)


@dataclass(frozen=True)
class Measured:
    """Float and golden on a prompt and float's greedy text after it.

    `ids` are the prompt and float's choices, `golden` golden's choices at the same positions;
    `kl_mean` and `kl_max` are the divergence of float to golden, in nats per token.
    """

    ids: list[int]
    golden: list[int]
    kl_mean: float
    kl_max: float
    float_seconds: float
    golden_seconds: float

    @property
    def equal(self) -> int:
        """The number of equal choices."""
        chosen = self.ids[len(self.ids) - len(self.golden) :]
        return sum(ours == theirs for ours, theirs in zip(self.golden, chosen, strict=True))


def measure(
    opened: Opened, prompt: list[int], tokens: int, show: Callable[[int], None]
) -> Measured:
    """Both decoders on the same tokens: `prompt` and up to `tokens` that float chooses."""
    reference, fixed = FloatDecoder(opened.checkpoint), FixedDecoder(opened.model)
    shape, scale = opened.checkpoint.shape, opened.model.config.numerics.logits.scale
    ids, golden, divergences = list(prompt), [], []
    spent = [0.0, 0.0]
    position = 0
    while position < len(ids) and position < shape.seq_len:
        begin = time.perf_counter()
        logits = reference.step(np.array([ids[position]]))[0]
        middle = time.perf_counter()
        integers = fixed.step(np.array([ids[position]]))[0]
        spent[0] += middle - begin
        spent[1] += time.perf_counter() - middle
        position += 1
        if position < len(prompt):
            continue
        divergences.append(divergence(logits, integers / scale))
        golden.append(int(integers.argmax()))
        ids.append(chosen := int(logits.argmax()))
        if shape.ends_text(chosen, forced=False) or len(golden) == tokens:
            break
        show(chosen)
    return Measured(ids, golden, float(np.mean(divergences)), max(divergences), *spent)


def divergence(logits: np.ndarray, others: np.ndarray) -> float:
    """KL of two sets of logits, in nats."""
    p, q = (x - x.max() for x in (logits, others))
    p, q = (x - math.log(np.exp(x).sum()) for x in (p, q))
    return float((np.exp(p) * (p - q)).sum())


def compare(
    opened: Opened, prompt: list[int], tokens: int, watch: Callable[[Progress], None]
) -> Run:
    """Compare every traced value of RTL and golden, for the prompt and `tokens` chosen tokens."""
    case = Case(tuple(prompt), min(len(prompt) + tokens - 1, opened.checkpoint.shape.seq_len))
    return run_case(opened.model, case, "traced", once=True, watch=watch)


def cycles_with(config: Config, position: int, measured: float, memory: Memory) -> float:
    """Cycles of a token with weights, keys and values from `memory`, if it took `measured` cycles
    with a weight beat in every cycle."""
    unlimited = token_cycles(config, position, _NONE)
    limited = token_cycles(config, position, _NONE, memory.bits_per_cycle)
    return measured + max(0, limited - unlimited)
