"""Text generation token by token with any back end, its printing, and its figures."""

import codecs
import sys
import unicodedata
from collections.abc import Iterator

from golden.checkpoint import Checkpoint
from golden.generate import generate
from golden.quantise import Model
from golden.sampler import Sampler
from golden.tokenizers import TextStream
from sim import models
from sim.replay import Run
from sim.rtl_decoder import RtlDecoder, Step
from spec.config import Config

Figures = dict[str, float | int | None]


def float_tokens(
    checkpoint: Checkpoint, ids: list[int], steps: int, sampler: Sampler
) -> Iterator[int]:
    """The tokens of the float reference after ``ids[0]``."""
    return generate(models.float_step(checkpoint), ids, steps, sampler.sample, checkpoint.shape)


def fixed_tokens(model: Model, ids: list[int], steps: int, sampler: Sampler) -> Iterator[int]:
    """The tokens of the golden decoder after ``ids[0]``."""
    return generate(models.fixed_step(model), ids, steps, sampler.sample, model.config.shape)


def rtl_tokens(rtl: RtlDecoder, ids: list[int], steps: int, sampler: Sampler) -> Iterator[int]:
    """The tokens of the RTL after ``ids[0]``: its own choices, or with a temperature those that the
    host samples from `o_logits`."""
    scale = rtl.config.numerics.logits.scale
    positions = iter(range(steps))

    def step(token: int) -> Step:
        position = next(positions)
        return rtl.step(token, position == 0, position >= len(ids) - 1)

    def choose(step: Step) -> int:
        assert step.logits is not None  # the step ran the classifier
        return sampler.sample(step.logits / scale) if sampler.temperature else step.id

    return generate(step, ids, steps, choose, rtl.config.shape)


def figures(
    tokens: int, seconds: float, config: Config | None, counters: models.Counters | None
) -> Figures:
    """Time and speed of a text; for RTL also cycles and utilisation."""
    result: Figures = {
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_s": tokens / seconds if seconds else None,
    }
    keys = ("cycles", "cycles_per_token", "lanes", "multipliers", "macs")
    utilisations = ("array_utilisation", "dsp_utilisation", "build_seconds")
    if config is None or counters is None or not counters.cycles:
        return result | dict.fromkeys((*keys, *utilisations))
    # Imported only if the design ran.
    from design.decoder import multipliers

    lanes, count = config.geometry.lanes, multipliers(config)
    cycles, macs = counters.cycles, counters.macs
    values = (cycles, cycles / tokens if tokens else None, lanes, count, macs)
    shares = (macs / (lanes * cycles), macs / (count * cycles), counters.build_seconds)
    return result | dict(zip((*keys, *utilisations), (*values, *shares), strict=True))


def compared_figures(run: Run) -> Figures:
    """The figures of the RTL with its trace in a comparison, and the number of values compared."""
    total = run.total
    counters = models.Counters(cycles=total.cycles, macs=total.macs)
    result = figures(len(run.feeds), total.seconds, run.model.config, counters)
    return result | {"values": total.values, "equal": run.difference is None}


def sentence(measured: Figures) -> str:
    """`figures` in one line."""
    text = f"{measured['tokens']} tokens"
    if measured["tokens_per_s"] is not None:
        text += f", {measured['tokens_per_s']:.1f} tokens/s"
    if measured["cycles"] is not None:
        text += (
            f", {measured['cycles_per_token'] or 0:,.0f} cycles/token,"
            f" array utilisation {measured['array_utilisation']:.3f},"
            f" DSP utilisation {measured['dsp_utilisation']:.3f}"
        )
    return text


class Printer:
    """Prints text to stdout as its tokens are generated; on a terminal, control characters of the
    model are escaped."""

    def __init__(self, stream: TextStream | None) -> None:
        self._stream = stream
        self._output = sys.stdout.buffer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._terminal = sys.stdout.isatty()

    def put(self, token: int, *, silent: bool = False) -> None:
        """Print a token; if `silent`, only update the stream's state."""
        if self._stream is not None:
            text = self._stream.put(token)
            if not silent:
                self._write(text)

    def end(self) -> None:
        """Print the rest of an incomplete character."""
        if self._stream is not None:
            self._write(self._stream.end(), final=True)

    def _write(self, text: bytes, *, final: bool = False) -> None:
        if self._terminal:
            text = shown(self._decoder.decode(text, final)).encode()
        self._output.write(text)
        self._output.flush()


def shown(text: str) -> str:
    """`text` with its control characters escaped, except for line ends and tabs."""
    return "".join(
        repr(c)[1:-1] if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text
    )
