"""Runs one case: compares golden with RTL, and records the waveform of a difference."""

import contextlib
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
from sim.compare import Decoder, Difference, Progress, Reference, compare
from sim.rtl_decoder import NoProgress, RtlDecoder, SimulationError
from sim.waves import Window, record, viewers, write_views


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

    def record(self, window: Window, *, quiet: bool = False) -> SimulationError | None:
        """Run again, and write a waveform of `window`; returns the error that ends the run."""
        config = self.model.config
        reference = Reference(FixedDecoder(self.model), config)
        golden = []
        for feed in self.feeds[: window.last + 1]:
            expected = reference.feed(feed)
            golden.append(reference.flattener.records(expected.keys, expected.values))
        stalls = self.case.stalls
        return record(
            config, self.image, self.feeds, window, stalls=stalls, quiet=quiet, golden=golden
        )

    def record_last(self, path: Path, *, quiet: bool = False) -> list[str]:
        """Run again, and write a waveform of the last token, with save files for viewers if it
        holds a difference of a traced value. Returns sentences about it."""
        failure = self.record(Window(path, self.last, self.last), quiet=quiet)
        # A simulation that was built elsewhere could not say what waits inside.
        inside = failure.inside if isinstance(failure, NoProgress) else ()
        views = () if self.difference is None else write_views(path, self.difference)
        known = "" if self.difference is None else self.difference.detail
        return [
            *(f"waits: {sentence}" for sentence in inside if sentence not in known),
            f"waveform of token {self.last}: {path}",
            *viewers(views),
        ]


def run_case(
    model: Model,
    case: Case,
    variant: Variant,
    *,
    quiet: bool = False,
    once: bool = False,
    watch: Callable[[Progress], None] = lambda progress: None,
    simulate: Callable[..., RtlDecoder] = RtlDecoder,
    decoder: Decoder | None = None,
) -> Run:
    """Compare every traced value of `case`, up to the first difference.

    `variant` must have a trace; with `once` the run ends with the text (see `golden.case.greedy`);
    `watch` is called after each token; `simulate` makes the simulation, as `RtlDecoder` does. With
    a `decoder`, that one is compared instead.
    """
    golden, image = FixedDecoder(model), pack(model)
    feeds: list[Feed] = []
    # Only said where it matters: what can be reset is slower.
    resettable = {"resettable": True} if case.resets else {}
    with contextlib.ExitStack() as stack:
        decoder = decoder or stack.enter_context(
            simulate(model.config, image, variant, case.stalls, quiet=quiet, **resettable)
        )
        for progress in compare(golden, decoder, case.host(model.config.shape, once=once)):
            feeds.append(progress.feed)
            watch(progress)
    return Run(model, case, image, tuple(feeds), progress, golden.saturation)
