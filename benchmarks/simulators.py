"""The same decoder with the same weights in three simulators, run alternately."""

import functools
from collections.abc import Callable, Iterator

from benchmarks import verilator
from benchmarks.measure import interleaved
from benchmarks.python_simulator import PythonSimulation
from benchmarks.report import Row
from golden.checkpoint import Checkpoint
from golden.image import pack
from golden.quantise import quantise
from golden.sampler import Sampler
from sim.build import Build, build
from sim.generation import rtl_tokens
from sim.rtl_decoder import RtlDecoder
from spec.config import Config
from tools.errors import BadInput
from tools.yosys import BuildError

#: Clock cycles per run of Amaranth's simulator.
PYTHON_CYCLES = 150
#: Tokens per run of Verilator.
VERILATOR_TOKENS = 64

OURS, VERILATOR, AMARANTH = "ours (CXXRTL)", "Verilator", "Amaranth"


def greedy(rtl: RtlDecoder, tokens: int) -> float:
    """Generate greedy text of `tokens` tokens; returns the clock cycles."""
    begin, done, shape = rtl.clock, 0, rtl.config.shape
    choose = Sampler(shape.vocab, temperature=0)
    while done < tokens:  # a new text begins after the end of one
        steps = min(tokens - done, shape.seq_len)
        done += sum(1 for _ in rtl_tokens(rtl, [shape.first_id], steps, choose)) or 1
    return rtl.clock - begin


def rows(
    checkpoint: Checkpoint,
    config: Config,
    tokens: int,
    rounds: int,
    *,
    with_verilator: bool = True,
    tokens_per_s: float | None = None,
    report: Callable[[str], None] = lambda step: None,
) -> Iterator[Row]:
    """Speeds of `config` over a greedy text of `tokens`; `tokens_per_s` is the target."""
    topic = f"RTL simulation, {config.geometry.lanes} lanes"
    row = functools.partial(Row, topic)
    image = pack(quantise(checkpoint, config))
    report(f"{topic}: building")
    made = build(config, quiet=True)
    other, missing = None, "not selected"
    if with_verilator:
        report(f"{topic}: building with Verilator")
        other, missing = _verilator(config)
    report(f"{topic}: preparing Amaranth's simulator")
    jobs: dict[str, Callable[[], float]] = {}
    with RtlDecoder(config, image) as rtl:
        jobs[OURS] = lambda: greedy(rtl, tokens)
        if other is not None:
            theirs = RtlDecoder(config, image, made=other)
            jobs[VERILATOR] = lambda: greedy(theirs, min(VERILATOR_TOKENS, tokens))
        simulation = PythonSimulation(config, image)
        jobs[AMARANTH] = lambda: simulation.advance(PYTHON_CYCLES)
        report(f"{topic}: timing")
        rate = interleaved(jobs, rounds)
        cycles = rtl.clock / (rounds * tokens)
    yield row(OURS, rate[OURS] / cycles, "tokens/s", at_least=tokens_per_s)
    for name in (OURS, VERILATOR, AMARANTH):
        note = missing if name not in rate else ""
        yield row(name, rate.get(name), "cycles/s", note=note)
    for name, least in ((VERILATOR, 1.0), (AMARANTH, 300.0)):
        ratio = rate[OURS] / rate[name] if name in rate else None
        yield row(f"ours over {name}", ratio, "x", at_least=least)
    yield row("build of ours", made.seconds, "s", note="when it was built")
    note = missing or "when it was built"
    yield row("build of Verilator", other.seconds if other else None, "s", note=note)


def _verilator(config: Config) -> tuple[Build | None, str]:
    """A build, or the reason why there is none."""
    try:
        return verilator.build(config), ""
    except (BadInput, BuildError, OSError) as error:
        return None, str(error).splitlines()[0]
