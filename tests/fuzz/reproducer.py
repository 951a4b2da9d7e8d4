"""What a failed fuzz test leaves: one reproducer file and one waveform, of the smallest case."""

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from golden.case import Case
from golden.image import save
from golden.quantise import Model
from sim.replay import Run, run_case

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"


class Differs(AssertionError):
    """Golden and RTL part in `run`, which is kept in memory: most of these are shrunk further."""

    def __init__(self, run: Run):
        super().__init__(str(run.difference))
        self.run = run


def check(model: Model, case: Case) -> int:
    """Compare; returns the number of values that were equal, raises :class:`Differs`."""
    run = run_case(model, case, "quick", quiet=True)
    if run.difference is not None:
        raise Differs(run)
    return run.values


@contextlib.contextmanager
def reproducing(test: str, folder: Path = FOLDER) -> Iterator[None]:
    """Wraps a whole Hypothesis test: its exception is the smallest case, the only one stored.

    ``<test>.safetensors`` and ``<test>.vcd`` in `folder`, named in the failure. A test that passes
    removes those of an earlier run.
    """
    name = re.sub(r"[^\w.-]+", "-", test).strip("-")
    image, wave = folder / f"{name}.safetensors", folder / f"{name}.vcd"
    try:
        yield
    except Differs as differs:
        failure = differs
    else:
        _remove(image, wave)
        return
    run = failure.run
    folder.mkdir(parents=True, exist_ok=True)
    _remove(image, wave)
    save(image, run.model, run.case)
    run.record_last(wave, quiet=True)
    lines = (
        str(run.difference),
        f"{run.model.config.name}: {run.case}",
        f"reproducer: {_shown(image)}",
        f"waveform of token {run.last}: {_shown(wave)}",
        f"replay: python -m sim replay {shlex.quote(_shown(image))}",
    )
    # Without the notes of Hypothesis: they print every weight, which the file contains.
    raise pytest.fail.Exception("\n".join(lines), pytrace=False) from None


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _shown(path: Path) -> str:
    """The path as from the root of the repository, where commands are run."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
