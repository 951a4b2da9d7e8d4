"""Timing diagrams of passages of a token, from a simulation of the whole decoder.

Amaranth's simulator runs it: nothing is compiled, and signals are those of the Python objects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from board.picture import Wave, drawn
from design.beat import Kind
from design.decoder import Decoder
from golden.image import pack
from golden.quantise import quantise
from sim.models import configure, open_model
from spec.config import Config
from spec.trace import Tensor

#: A random model of nano's shape, as for `sim compare --random`, its seed, lanes and prompt.
SIZES, SEED, LANES, TOKENS = "8,12,2,4,2,16,8", 1, 4, (1, 5, 7)
#: Cycles after which a passage must have begun.
LIMIT = 3000


@dataclass(frozen=True)
class Passage:
    """`cycles` from `before` the one in which `begins` is high during the last of the tokens.

    `signals` by name: high or low; with `words`, what to write while it is high.
    """

    title: str
    begins: str
    before: int
    cycles: int
    signals: Sequence[str]


PASSAGES: Mapping[str, Passage] = {
    "token": Passage(
        title="The start of a token",
        begins="i_token.valid",
        before=0,
        cycles=40,
        signals=(
            "i_token.valid", "i_token.ready", "o_fetch.valid", "i_weights.valid",
            "i_weights.ready", "projection.o.valid", "projection.o.ready", "issue.o.valid",
            "array.o.valid", "drain.o.valid", "writeback.o.valid", "residual.o.valid",
            "rmsnorm.ready", "trace",
        ),
    ),
    "attention": Passage(
        title="Scores and values of a layer",
        begins="layer_sequencer.score_start",
        before=2,
        cycles=52,
        signals=(
            "layer_sequencer.score_start", "score.o.valid", "score.o.ready",
            "layer_sequencer.value_start", "value.o.valid", "value.o.ready", "issue.o.valid",
            "array.o.valid", "drain.scores.valid", "softmax.ready", "reciprocals.ready",
            "drain.o.valid", "writeback.scaled.valid", "projection.o.valid", "trace",
        ),
    ),
}  # fmt: skip


def timing_diagrams() -> dict[str, str]:
    """Each passage as SVG."""
    checkpoint, _ = open_model(None, SIZES, SEED)
    config = configure(checkpoint, None, "default").with_lanes(LANES)
    samples = simulate(config, pack(quantise(checkpoint, config)))
    return {
        name: drawn(waves(passage, samples), first_cycle(passage, samples), wide=26)
        for name, passage in PASSAGES.items()
    }


def first_cycle(passage: Passage, samples: Sequence[Mapping[str, Any]]) -> int:
    """The cycle in which `passage` begins."""
    begins = next(n for n, values in enumerate(samples) if values[passage.begins])
    return begins - passage.before


def waves(passage: Passage, samples: Sequence[Mapping[str, Any]]) -> list[Wave]:
    """The lines of a diagram."""
    first = first_cycle(passage, samples)
    window = samples[first : first + passage.cycles]
    assert len(window) == passage.cycles, "the passage is longer than the simulation"
    return [
        Wave(
            name,
            bus=name in BUSES,
            values=[values[name] or (None if name in BUSES else 0) for values in window],
        )
        for name in passage.signals
    ]


def _kind(context: Any, decoder: Decoder) -> str | None:
    used = decoder.issue.o
    return Kind(context.get(used.p.beat.kind)).name.lower() if context.get(used.valid) else None


def _traced(context: Any, decoder: Decoder) -> str | None:
    """The first tensor of this cycle's trace records."""
    valid = (record for record in decoder.trace if context.get(record.valid))
    return next((Tensor(context.get(record.tensor)).name for record in valid), None)


#: Lines with a word in place of a level.
BUSES: Mapping[str, Callable[[Any, Decoder], str | None]] = {
    "issue.o.valid": _kind,
    "trace": _traced,
}


def simulate(config: Config, image: np.ndarray) -> list[dict[str, Any]]:
    """The value of every signal of `PASSAGES` in each cycle of the last of `TOKENS`.

    The host takes everything at once, and the weights, (beats, lanes), come without a pause.
    """
    decoder = Decoder(config)
    names = sorted({name for passage in PASSAGES.values() for name in passage.signals})
    signals = {name: _signal(decoder, name) for name in names if name not in BUSES}
    samples: list[dict[str, Any]] = []

    async def drive(context):
        beats: list[int] = []
        context.set(decoder.o_fetch.ready, 1)
        context.set(decoder.o_token.ready, 1)
        context.set(decoder.o_logits.ready, 1)
        for position, token in enumerate(TOKENS):
            context.set(decoder.i_token.payload.id, token)
            context.set(decoder.i_token.payload.first, position == 0)
            context.set(decoder.i_token.payload.sample, position == len(TOKENS) - 1)
            context.set(decoder.i_token.valid, 1)
            for _ in range(LIMIT):
                context.set(decoder.i_weights.valid, bool(beats))
                if beats:
                    for lane, weight in enumerate(image[beats[0]]):
                        context.set(decoder.i_weights.payload[lane], int(weight))
                if position == len(TOKENS) - 1:
                    values = {name: context.get(signal) for name, signal in signals.items()}
                    samples.append(
                        values | {n: read(context, decoder) for n, read in BUSES.items()}
                    )
                accepted = context.get(decoder.i_token.ready)
                if beats and context.get(decoder.i_weights.ready):
                    beats.pop(0)
                if context.get(decoder.o_fetch.valid):
                    run = decoder.o_fetch.payload
                    first = context.get(run.address)
                    beats += range(first, first + context.get(run.beats))
                answered = context.get(decoder.o_token.valid)
                await context.tick()
                if accepted:
                    context.set(decoder.i_token.valid, 0)
                if answered:
                    break

    simulator = Simulator(decoder)
    simulator.add_clock(1e-8)
    simulator.add_testbench(drive)
    simulator.run()
    return samples


def _signal(decoder: Decoder, path: str) -> Any:
    """The signal at a dotted `path` of attributes."""
    signal: Any = decoder
    for name in path.split("."):
        signal = getattr(signal, name)
    return signal
