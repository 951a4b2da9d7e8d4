"""Utilisation of the multipliers. Cycle counts are exact, independent of the machine."""

import functools
from collections.abc import Iterator

from benchmarks.report import Row
from design.decoder import multipliers
from golden.checkpoint import Checkpoint, random_checkpoint
from golden.image import pack
from golden.quantise import quantise
from golden.work import products
from sim.compare import miscount
from sim.rtl_decoder import RtlDecoder, SimulationError, Step
from spec.config import Config

#: (configuration, lanes): the most cycles at position 0; the least array and DSP utilisation.
TARGETS = {
    ("stories260k", 8): (33_400, 0.95, 0.80),
    ("stories260k", 64): (4_700, 0.85, 0.75),
    ("stories15m", 16): (None, 0.85, None),
}
#: Least array utilisation at full context.
FULL = 0.80


def greedy_steps(rtl: RtlDecoder, count: int) -> Iterator[Step]:
    """Sampled tokens at positions 0 to `count` - 1, each fed back, also after an end of text.

    Raises SimulationError if a counter is wrong, because the figures would be wrong, too.
    """
    token = rtl.config.shape.first_id
    for position in range(count):
        step = rtl.step(token, first=position == 0)
        work = products(rtl.config.shape, position, classified=True)
        if difference := miscount(work, step, position, token):
            raise SimulationError(str(difference))
        token = step.id
        yield step


def rows(checkpoint: Checkpoint, config: Config, tokens: int, *, full: bool) -> Iterator[Row]:
    """Cycles and utilisation over `tokens` greedy tokens; if `full`, also at full context."""
    lanes = config.geometry.lanes
    row = functools.partial(Row, f"cycles, {config.name} at {lanes} lanes")
    count = config.shape.seq_len if full else tokens
    with RtlDecoder(config, pack(quantise(checkpoint, config)), quiet=True) as rtl:
        steps = list(greedy_steps(rtl, count))
    text = steps[:tokens]
    cycles, macs = (sum(getattr(step, name) for step in text) for name in ("cycles", "macs"))
    over = f"over {tokens} tokens"
    most, array, dsp = TARGETS.get((config.name, lanes), (None, None, None))
    # Minus one, because the design does not count the cycle in which it accepts the token.
    yield row("at position 0", steps[0].cycles - 1, "cycles", at_most=most)
    yield row(f"{over}", cycles / tokens, "cycles/token")
    yield row(f"array utilisation {over}", macs / (lanes * cycles), "", at_least=array)
    used = macs / (multipliers(config) * cycles)
    yield row(f"DSP utilisation {over}", used, "", at_least=dsp)
    if full:
        last = steps[-1].macs / (lanes * steps[-1].cycles)
        yield row(f"array utilisation at context {count}", last, "", at_least=FULL)


def random_rows(config: Config, tokens: int) -> Iterator[Row]:
    """The same with random weights; cycles do not depend on them."""
    yield from rows(random_checkpoint(config.shape, seed=1), config, tokens, full=False)
