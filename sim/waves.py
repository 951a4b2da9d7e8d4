"""Waveforms: repeats a run with the ``waves`` build, and writes a VCD of a window of tokens."""

import contextlib
import dataclasses
import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib import wiring

from golden.case import Feed
from sim.compare import Difference
from sim.hang import NUMBER
from sim.harness import STREAMS
from sim.rtl_decoder import RtlDecoder, SimulationError
from spec.config import Config
from tools import save_files
from tools.errors import BadInput

#: Nanoseconds per clock cycle in a waveform, as the driver writes them.
PERIOD = 10
_HANDSHAKES = {f"{stream}_{end}" for stream in STREAMS for end in ("valid", "ready")}


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
    golden: Sequence[np.ndarray] = (),
) -> SimulationError | None:
    """Repeat `feeds` and write the cycles of `window` to its file, which appears when complete.

    With `golden`, the trace records of each feed, the value that golden expects stands beside each
    that the RTL traces: ``compared0.expected`` and ``compared0.value`` of trace channel 0.

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
                if window.first <= number < len(golden):
                    rtl.expect(golden[number])
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


def write_views(path: Path, difference: Difference) -> tuple[Path, ...]:
    """Save files for GTKWave and Surfer beside the waveform at `path`, with the cursor in the cycle
    of `difference`; none if that is not one of a traced value.

    They show clock and handshakes, the value and the expected one of the trace channel, and what
    the unit that traces it has at its ports and inside.
    """
    place = difference.place
    if place is None or place.channel < 0:
        return ()
    with path.open("rb") as file:
        known = [one for one in save_files.declared(file) if "[" not in one.name]
    groups: dict[str, list[save_files.Variable]] = {
        "ports": [],
        "golden and RTL": [],
        place.unit: [],
    }
    for one in known:
        scope, name = tuple(NUMBER.sub("", part) for part in one.path[:-1]), one.path[-1]
        if scope == () and (name == "clk" or name in _HANDSHAKES):
            groups["ports"].append(one)
        elif scope == (f"compared{place.channel}",):
            signed = name in ("value", "expected")
            groups["golden and RTL"].append(dataclasses.replace(one, signed=signed))
        elif scope == ("decoder", place.unit) and "$" not in name:
            groups[place.unit].append(one)
    marker = None if place.cycle is None else place.cycle * PERIOD
    return save_files.write_save_files(path, groups, marker=marker)


def viewers(views: Sequence[Path]) -> list[str]:
    """The commands that open save files."""
    return [f"open it: {save_files.VIEWERS[path.suffix]} {path}" for path in views]
