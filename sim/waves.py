"""Waveforms: repeats a run with the ``waves`` build, and writes a VCD of a window of tokens."""

import contextlib
import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib import wiring

from golden.case import Feed
from sim.rtl_decoder import RtlDecoder, SimulationError
from spec.config import Config
from tools.errors import BadInput


@dataclass(frozen=True)
class Window:
    """Tokens `first` to `last`, both included, counted from 0 over the whole run."""

    path: Path
    first: int
    last: int

    def __post_init__(self):
        if not 0 <= self.first <= self.last:
            raise BadInput(f"waveform window from {self.first} to {self.last} is empty")


def default_path(config: Config) -> Path:
    """A new file name in build/waves/, unique to this run."""
    folder = Path(__file__).parent.parent / "build" / "waves"
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S-%f")
    return folder / f"{config.name}-{config.geometry.lanes}-{stamp}-{os.getpid()}.vcd"


def record(
    config: Config,
    image: np.ndarray,
    feeds: Sequence[Feed],
    window: Window,
    *,
    stalls: int | None = None,
    component: wiring.Component | None = None,
    watchdog: int | None = None,
    quiet: bool = False,
) -> SimulationError | None:
    """Repeat `feeds` and write the cycles of `window` to its file, which appears when complete.

    Stalls are the same as before, so the run repeats exactly. A simulation error ends the recording
    and is returned.
    """
    window.path.parent.mkdir(parents=True, exist_ok=True)
    temporary = window.path.with_name(f".{window.path.name}.{os.getpid()}")
    resettable = any(feed.reset is not None for feed in feeds)
    failure = None
    try:
        with (
            RtlDecoder(
                config, image, "waves", stalls, component, watchdog, quiet, resettable=resettable
            ) as rtl,
            contextlib.ExitStack() as recording,
        ):
            for number, feed in enumerate(feeds[: window.last + 1]):
                if number == window.first:
                    recording.enter_context(rtl.waveform(temporary))
                try:
                    rtl.feed(feed)
                except SimulationError as error:
                    failure = error
                    break
        if not temporary.exists():
            raise BadInput(
                f"waveform window starts at token {window.first}, but the run ended after"
                f" {len(feeds)} tokens"
            )
        temporary.replace(window.path)
    finally:
        temporary.unlink(missing_ok=True)
    return failure
