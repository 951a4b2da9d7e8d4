"""What a failed fuzz test leaves: one reproducer file and one waveform, of the smallest case."""

import contextlib
import math
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, target

from golden.case import Case
from golden.image import save
from golden.quantise import Model
from sim.build import Variant
from sim.observed import ObservedRtl
from sim.replay import Run, run_case
from spec.config import Config

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
#: The ends of the names of what a failed test leaves.
LEFT = (".safetensors", ".vcd", ".gtkw", ".sucl")


class Differs(AssertionError):
    """Golden and RTL part in `run`, which is kept in memory: most of these are shrunk further."""

    def __init__(self, run: Run):
        super().__init__(str(run.difference))
        self.run = run


@dataclass(frozen=True)
class Compared:
    """A case of `config` (None: of a component) without a difference: the number of values and
    tokens, the cover points that it reached, and what it is `aiming` at: numbers to be made large.
    """

    config: Config | None
    values: int
    steps: int
    reached: frozenset[str]
    aiming: Mapping[str, float]

    def steer(self) -> None:
        """Tell Hypothesis which cases to vary: those with large sums, and many saturated values."""
        for label, observed in self.aiming.items():
            target(observed, label=label)


def check(model: Model, case: Case, variant: Variant = "quick") -> Compared:
    """Compare every value; raises :class:`Differs`."""
    decoders: list[ObservedRtl] = []

    def simulate(*args: Any, **kwargs: Any) -> ObservedRtl:
        decoders.append(ObservedRtl(*args, **kwargs))
        return decoders[-1]

    return judge(run_case(model, case, variant, quiet=True, simulate=simulate), decoders[0])


def judge(run: Run, decoder: ObservedRtl) -> Compared:
    """What `run` compared and `decoder` saw; raises :class:`Differs`."""
    if run.difference is not None:
        raise Differs(run)
    # A reset cuts off values that golden counts.
    saturated = {} if run.case.resets else run.saturation.counts
    reached = decoder.reached | {f"{name} saturates" for name in saturated}
    for name in reached:
        event(name)
    aiming = {"saturated values, as a power of two": math.log2(1 + sum(saturated.values()))}
    for tensor, largest in decoder.largest.items():
        aiming[f"bits of {tensor.name}"] = math.log2(1 + largest)
    config = run.model.config
    return Compared(config, run.values, run.case.steps, frozenset(reached), aiming)


@contextlib.contextmanager
def reproducing(test: str, folder: Path = FOLDER) -> Iterator[None]:
    """Wraps a whole Hypothesis test: its exception is the smallest case, the only one stored.

    ``<test>.safetensors``, ``<test>.vcd`` and save files for viewers of that in `folder`, named in
    the failure. A test that passes removes those of an earlier run.
    """
    name = re.sub(r"[^\w.-]+", "-", test).strip("-")
    image, *waves = (folder / f"{name}{suffix}" for suffix in LEFT)
    wave = waves[0]
    try:
        yield
    except Differs as differs:
        failure = differs
    else:
        _remove(image, *waves)
        return
    run = failure.run
    folder.mkdir(parents=True, exist_ok=True)
    _remove(image, *waves)
    save(image, run.model, run.case)
    recorded = run.record_last(wave, quiet=True)
    replay = f"python -m sim replay {shlex.quote(_shown(image))}"
    lines = (
        str(run.difference),
        f"{run.model.config.name}: {run.case}",
        f"reproducer: {_shown(image)}",
        *(sentence.replace(f"{ROOT}{os.sep}", "") for sentence in recorded),
        f"all opinions: {replay} --opinions",
        f"replay: {replay}",
    )
    # Without the notes of Hypothesis: they print every weight, which the file contains.
    raise pytest.fail.Exception("\n".join(lines), pytrace=False) from None


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _shown(path: Path) -> str:
    """The path as from the root of the repository, where commands are run."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
