"""Runs one case: compares golden with RTL, and records the waveform of a difference."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.case import Case, Feed
from golden.fast.decoder import FixedDecoder
from golden.image import pack
from golden.quantise import Model
from golden.saturation import Saturation
from sim.build import Variant
from sim.compare import Difference, Progress, compare
from sim.rtl_decoder import RtlDecoder
from sim.waves import Window, record


@dataclass(frozen=True)
class Run:
    """The result of comparing `case`. A difference is in the last of the `feeds`; `saturation`
    counts golden's values that did not fit their formats."""

    model: Model
    case: Case
    image: np.ndarray
    feeds: tuple[Feed, ...]
    total: Progress
    saturation: Saturation

    @property
    def values(self) -> int:
        """The number of traced values compared."""
        return self.total.values

    @property
    def difference(self) -> Difference | None:
        """The first difference between golden and RTL, if any."""
        return self.total.difference

    @property
    def last(self) -> int:
        """The last token compared, counted from 0."""
        return len(self.feeds) - 1

    def record(self, window: Window, *, quiet: bool = False) -> None:
        """Run again, and write a waveform of `window`."""
        stalls = self.case.stalls
        record(self.model.config, self.image, self.feeds, window, stalls=stalls, quiet=quiet)

    def record_last(self, path: Path, *, quiet: bool = False) -> None:
        """Run again, and write a waveform of the last token."""
        self.record(Window(path, self.last, self.last), quiet=quiet)


def run_case(
    model: Model,
    case: Case,
    variant: Variant,
    *,
    quiet: bool = False,
    once: bool = False,
    watch: Callable[[Progress], None] = lambda progress: None,
    simulate: Callable[..., RtlDecoder] = RtlDecoder,
) -> Run:
    """Compare every traced value of `case`, up to the first difference.

    `variant` must have a trace; with `once` the run ends with the text (see `golden.case.greedy`);
    `watch` is called after each token; `simulate` makes the simulation, as `RtlDecoder` does.
    """
    golden, image = FixedDecoder(model), pack(model)
    feeds: list[Feed] = []
    # Only said where it matters: what can be reset is slower.
    resettable = {"resettable": True} if case.resets else {}
    with simulate(model.config, image, variant, case.stalls, quiet=quiet, **resettable) as rtl:
        for progress in compare(golden, rtl, case.host(model.config.shape, once=once)):
            feeds.append(progress.feed)
            watch(progress)
    return Run(model, case, image, tuple(feeds), progress, golden.saturation)
