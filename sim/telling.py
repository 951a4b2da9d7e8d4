"""Text from a decoder, token by token, and what it cost."""

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
    """What the float reference tells behind ``ids[0]``."""
    return generate(models.float_step(checkpoint), ids, steps, sampler.sample, checkpoint.shape)


def fixed_tokens(model: Model, ids: list[int], steps: int, sampler: Sampler) -> Iterator[int]:
    """What the golden decoder tells behind ``ids[0]``."""
    return generate(models.fixed_step(model), ids, steps, sampler.sample, model.config.shape)


def rtl_tokens(rtl: RtlDecoder, ids: list[int], steps: int, sampler: Sampler) -> Iterator[int]:
    """What the RTL tells behind ``ids[0]``: its own choice, or with a temperature what the host
    samples from `o_logits`."""
    scale = rtl.config.numerics.logits.scale
    positions = iter(range(steps))

    def step(token: int) -> Step:
        position = next(positions)
        return rtl.step(token, position == 0, position >= len(ids) - 1)

    def choose(step: Step) -> int:
        assert step.logits is not None  # it was told to run the classifier
        return sampler.sample(step.logits / scale) if sampler.temperature else step.id

    return generate(step, ids, steps, choose, rtl.config.shape)


def figures(
    tokens: int, seconds: float, config: Config | None, counters: models.Counters | None
) -> Figures:
    """What a text cost, and in which decoder if that was RTL."""
    result: Figures = {
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_s": tokens / seconds if seconds else None,
    }
    keys = ("cycles", "cycles_per_token", "lanes", "multipliers", "macs")
    utilisations = ("array_utilisation", "dsp_utilisation", "build_seconds")
    if config is None or counters is None or not counters.cycles:
        return result | dict.fromkeys((*keys, *utilisations))
    # The design is not needed, and not imported, unless it ran.
    from design.decoder import multipliers

    lanes, all_of_them = config.geometry.lanes, multipliers(config)
    cycles, macs = counters.cycles, counters.macs
    values = (cycles, cycles / tokens if tokens else None, lanes, all_of_them, macs)
    shares = (macs / (lanes * cycles), macs / (all_of_them * cycles), counters.build_seconds)
    return result | dict(zip((*keys, *utilisations), (*values, *shares), strict=True))


def compared_figures(run: Run) -> Figures:
    """What the RTL cost in a comparison, with its trace, and how many values were equal."""
    total = run.total
    counters = models.Counters(cycles=total.cycles, macs=total.macs)
    told = figures(len(run.feeds), total.seconds, run.model.config, counters)
    return told | {"values": total.values, "equal": run.difference is None}


def sentence(told: Figures) -> str:
    """`figures` in one line."""
    text = f"{told['tokens']} tokens"
    if told["tokens_per_s"] is not None:
        text += f", {told['tokens_per_s']:.1f} tokens/s"
    if told["cycles"] is not None:
        text += (
            f", {told['cycles_per_token'] or 0:,.0f} cycles/token,"
            f" array utilisation {told['array_utilisation']:.3f},"
            f" DSP utilisation {told['dsp_utilisation']:.3f}"
        )
    return text


class Printer:
    """Shows text on stdout as its tokens come; what the model says in control characters does not
    reach a terminal."""

    def __init__(self, stream: TextStream | None) -> None:
        self._stream = stream
        self._output = sys.stdout.buffer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._terminal = sys.stdout.isatty()

    def put(self, token: int, *, silent: bool = False) -> None:
        """One more token, which is only kept in mind if `silent`."""
        if self._stream is not None:
            text = self._stream.put(token)
            if not silent:
                self._write(text)

    def end(self) -> None:
        """No more come."""
        if self._stream is not None:
            self._write(self._stream.end(), final=True)

    def _write(self, text: bytes, *, final: bool = False) -> None:
        if self._terminal:
            text = shown(self._decoder.decode(text, final)).encode()
        self._output.write(text)
        self._output.flush()


def shown(text: str) -> str:
    """`text` with its control characters, but for line ends and tabs, spelt out."""
    return "".join(
        repr(each)[1:-1] if unicodedata.category(each) == "Cc" and each not in "\n\t" else each
        for each in text
    )
