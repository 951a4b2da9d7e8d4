"""Progress of a long computation, on stderr."""

import functools
from collections.abc import Callable

from rich.console import Console
from rich.progress import track

from golden.checkpoint import Checkpoint
from golden.ranges import Progress, positions_for

_stderr = Console(stderr=True)


class Steps:
    """A progress callback over `total` steps; its line disappears at the end."""

    def __init__(self, total: int, what: str):
        self._steps = iter(track(range(total), what, console=_stderr, transient=True))
        next(self._steps)

    def __call__(self, done: int) -> None:
        next(self._steps, None)


def calibrating(checkpoint: Checkpoint, steps: int | None = None) -> Callable[[], Progress]:
    """Makes the progress callback of a calibration of `steps` positions."""
    return functools.partial(Steps, steps or positions_for(checkpoint), "calibrating")
