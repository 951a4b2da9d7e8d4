"""A Python class for the compiled decoder."""

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Fragment
from amaranth.lib import wiring

from design import ports
from golden.case import STALL_SEEDS, Feed
from sim.build import Build, Variant, build
from sim.hang import levels, waiting
from spec.config import Config
from spec.schedule import image as image_layout
from tools.errors import BadInput

#: One trace record. `tensor` is the number of a `spec.trace.Tensor`.
RECORD = np.dtype([("tensor", "<u2"), ("layer", "<u2"), ("index", "<u4"), ("value", "<i4")])


_ORIGIN = np.dtype([("cycle", "<u8"), ("channel", "<u8")])


class SimulationError(RuntimeError):
    """The design violated the protocol of its ports; the message names the port and the cycle."""


class NoProgress(SimulationError):
    """No stream transfer and no multiplication for longer than any stage can take.

    The message names the ports that wait, and what waits `inside` (`sim.hang`).
    """

    def __init__(self, message: str, inside: Sequence[str] = ()):
        super().__init__("; ".join([message, *inside]))
        self.inside = inside


@dataclass(frozen=True)
class Origins:
    """Where the records of a token came from.

    For each record, the clock cycle since power-on and the number of the trace channel; the cycle
    in which the token was offered; by channel, the name of the unit that traces there.
    """

    cycles: np.ndarray
    channels: np.ndarray
    begin: int
    units: Callable[[], tuple[str, ...]]

    def only(self, wanted: np.ndarray) -> "Origins":
        """Those of some records, where `wanted` is true."""
        return replace(self, cycles=self.cycles[wanted], channels=self.channels[wanted])


@dataclass(frozen=True)
class Step:
    """The result of one token.

    `logits` (V,) int32 is None for a token that was not sampled; `records` (of dtype `RECORD`, in
    order of appearance) is None without trace. `cycles` counts from offering the token to accepting
    its answer, by the driver's clock.

    The other counts are differences to the previous token: `macs`, weight and attention
    multiply-accumulates by the design's counter; `counted_cycles`, cycles with a token in flight
    by the design's counter; `busy_cycles`, the same by the driver's clock, which must be equal.
    They are read in the last cycle of the token, which therefore counts for the next token.

    `reset`: there was one before the token was done. Then `id` is -1 unless it was answered, and
    `logits` and `records` are those that came before.
    """

    id: int
    end: bool
    logits: np.ndarray | None
    cycles: int
    macs: int
    counted_cycles: int
    busy_cycles: int
    records: np.ndarray | None
    origins: Origins | None = None
    reset: bool = False

    @property
    def shown(self) -> int:
        """The number of values that the ports show: id, end, logits and the two counters; no
        counters of a token that a reset cuts off."""
        answer = 2 if not self.reset or self.id >= 0 else 0
        counters = 0 if self.reset else 2
        return answer + counters + (0 if self.logits is None else len(self.logits))


class _Result(ctypes.Structure):
    _fields_ = [
        ("id", ctypes.c_int32),
        ("sampled", ctypes.c_int32),
        ("end", ctypes.c_int32),
        ("reset", ctypes.c_int32),
        ("cycles", ctypes.c_uint64),
        ("design_cycles", ctypes.c_uint64),
        ("design_macs", ctypes.c_uint64),
        ("busy_cycles", ctypes.c_uint64),
    ]


@functools.cache
def _library(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    sim, u64, i32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int32
    result = ctypes.POINTER(_Result)
    for name, returns, arguments in (
        ("vd_open", sim, [ctypes.c_void_p, u64, ctypes.c_int, u64, u64]),
        ("vd_close", None, [sim]),
        ("vd_select", None, [sim, u64]),
        ("vd_step", ctypes.c_int, [sim, i32, ctypes.c_int, ctypes.c_int, result]),
        ("vd_reset_in", ctypes.c_int, [sim, u64]),
        ("vd_stall", None, [sim, ctypes.c_int, u64]),
        ("vd_cycle", u64, [sim]),
        ("vd_message", ctypes.c_char_p, [sim]),
        ("vd_logits", ctypes.c_void_p, [sim, ctypes.POINTER(u64)]),
        ("vd_trace", ctypes.c_void_p, [sim, ctypes.POINTER(u64)]),
        ("vd_origins", ctypes.c_void_p, [sim]),
        ("vd_begin", u64, [sim]),
        ("vd_expect", None, [sim, ctypes.c_void_p, u64]),
        ("vd_levels", ctypes.c_char_p, [sim]),
        ("vd_vcd_begin", ctypes.c_int, [sim, ctypes.c_char_p]),
        ("vd_vcd_end", ctypes.c_int, [sim]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = returns, arguments
    return library


def patience(config: Config) -> int:
    """Limit of cycles without progress, far beyond the longest stage without a transfer."""
    shape = config.shape
    longest = shape.seq_len * (shape.heads + 1) + max(shape.dim, shape.q_dim) + shape.hidden
    return 4 * longest + 20_000


class RtlDecoder:
    """One simulation of a decoder, with its weight image.

    Parameters: `config`; `image`, (beats, lanes) int8 or int16 in the order of `spec.schedule`
    (read in place); `variant` as for `sim.build.build`; `stalls`, a seed for stalls on every
    stream (None: no stalls); `component`, any with the decoder's signature, by default the decoder
    itself; `watchdog`, the cycles after which no progress is an error; `made`, a library built
    elsewhere with the same driver; `design`, which one of several in that library runs;
    `resettable`, whether a token may say that there is a reset.

    `cycles` and `macs` count since the beginning; `build` describes the build. Raises
    :class:`BadInput` for an image or token that does not fit the configuration.
    """

    #: Whether it has no trace on purpose: then what can be compared is at its ports.
    ports_only = False

    def __init__(
        self,
        config: Config,
        image: np.ndarray,
        variant: Variant = "fast",
        stalls: int | None = None,
        component: wiring.Component | None = None,
        watchdog: int | None = None,
        quiet: bool = False,
        made: Build | None = None,
        design: int = 0,
        resettable: bool = False,
    ):
        self._sim = None
        shape = (image_layout(config).beats, config.geometry.lanes)
        dtype = np.dtype(np.int8 if config.numerics.weight_bits == 8 else "<i2")
        if image.shape != shape or image.dtype != dtype:
            raise BadInput(
                f"weight image has shape {image.shape} of {image.dtype},"
                f" configuration {config.name!r} needs {shape} of {dtype}"
            )
        if stalls is not None and not 0 <= stalls < STALL_SEEDS:
            raise BadInput(f"stall seed = {stalls} must be 0 to 2**60 - 1")
        self._stalls = self._stalled = stalls
        self.config = config
        self.variant = variant
        self._component, self._elsewhere = component, made is not None
        self._watchdog, self._resettable = watchdog, resettable
        self._fed: list[Feed] = []
        self.build: Build = made or build(
            config, variant, component, quiet=quiet, resettable=resettable
        )
        self.cycles = 0
        self.macs = 0
        self._before = _Result()
        self._text: list[int] = []
        self._ended = True
        self._image = np.ascontiguousarray(image)  # kept alive: the driver reads it in place
        self._library = _library(self.build.library)
        limit = patience(config) if watchdog is None else watchdog
        self._sim = self._library.vd_open(
            self._image.ctypes.data, shape[0], stalls is not None, stalls or 0, limit
        )
        self._library.vd_select(self._sim, design)

    def close(self) -> None:
        """Free the simulation; may be called repeatedly."""
        if self._sim is not None:
            self._library.vd_close(self._sim)
            self._sim = None

    def __enter__(self) -> "RtlDecoder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def pos(self) -> int:
        """Tokens of the text so far."""
        return len(self._text)

    @property
    def clock(self) -> int:
        """Clock cycles simulated so far."""
        return self._library.vd_cycle(self._sim)

    def step(self, token: int, first: bool | None = None, sample: bool = True) -> Step:
        """Process one token; `first` begins a new text (by default: the first call does).

        Behind a choice that ends the text the decoder begins another. A host that picks another
        token, or continues a chat, must send the text again, as this method does. Raises
        :class:`SimulationError` when the design violates its protocol; the simulation cannot
        continue after that.
        """
        first = self.pos == 0 if first is None else first
        if not first and self.pos >= self.config.shape.seq_len:
            raise BadInput(f"position {self.pos} is beyond seq_len = {self.config.shape.seq_len}")
        if self._ended and not first:
            cycles, macs = self.cycles, self.macs
            for position, earlier in enumerate(list(self._text)):
                self.feed(Feed(earlier, position == 0, False))
            self.cycles, self.macs = cycles, macs
        return self.feed(Feed(token, first, sample))

    def feed(self, feed: Feed) -> Step:
        """Process one token just as the host offers it. Behind the end of a text another begins,
        whether `first` says so or not. Raises as `step` does.
        """
        if self._sim is None:
            raise ValueError("this simulation was closed")
        token, sample = feed.token, feed.sample
        if not 0 <= token < self.config.shape.vocab:
            raise BadInput(f"token id {token} is not below vocab = {self.config.shape.vocab}")
        self._stall(self._stalls if feed.stalls is None else feed.stalls)
        if feed.reset is not None and not self._library.vd_reset_in(self._sim, feed.reset):
            raise BadInput(f"reset = {feed.reset}: this simulation is not resettable")
        begins = feed.first or self._ended
        self._text = [token] if begins else [*self._text, token]
        result = _Result()
        self._fed.append(feed)
        self._finish(self._library.vd_step(self._sim, token, feed.first, sample, result))
        self._ended = bool(result.end)
        records = origins = None
        if self.variant != "fast":
            count = ctypes.c_uint64()
            address = self._library.vd_trace(self._sim, count)
            records = _copy(address, count.value, RECORD)
            came = _copy(self._library.vd_origins(self._sim), count.value, _ORIGIN)
            begin = self._library.vd_begin(self._sim)
            origins = Origins(came["cycle"], came["channel"], begin, self.units)
        logits = None
        if sample:
            count = ctypes.c_uint64()
            address = self._library.vd_logits(self._sim, count)
            logits = _copy(address, count.value, "<i4")
        counts = self._account(result)
        if feed.reset is not None:
            self._text, self._ended, self._before = [], True, _Result()
        reset, end = bool(result.reset), bool(result.end)
        return Step(result.id, end, logits, result.cycles, *counts, records, origins, reset)

    def _stall(self, seed: int | None) -> None:
        if seed != self._stalled:
            self._library.vd_stall(self._sim, seed is not None, seed or 0)
            self._stalled = seed

    def units(self) -> tuple[str, ...]:
        """The name of the unit behind each trace channel, as the decoder names its parts; none if
        what was built elsewhere may be another."""
        decoder = self._running()
        if decoder is None:
            return ()
        if self._component is None:
            Fragment.get(decoder, None)  # Amaranth warns of components that are never used
        parts = decoder.with_port("trace")
        return tuple(name for name, part in parts.items() for _ in part.trace)

    def expect(self, records: np.ndarray) -> None:
        """What golden traces for the token that comes next, of dtype `RECORD`: waveforms show it
        beside what the RTL traces."""
        records = np.ascontiguousarray(records, RECORD)
        self._library.vd_expect(self._sim, records.ctypes.data, len(records))

    @contextlib.contextmanager
    def waveform(self, path: Path) -> Iterator[None]:
        """Write a VCD of the cycles simulated inside the block (``waves`` variant only).

        The file is closed, and so readable, even if the simulation fails inside.
        """
        if self.variant != "waves":
            raise BadInput(f"variant = {self.variant!r} has no waveforms, use 'waves'")
        if not self._library.vd_vcd_begin(self._sim, str(path).encode()):
            raise BadInput(f"waveform {str(path)!r} cannot be written")
        try:
            yield
        finally:
            good = self._library.vd_vcd_end(self._sim)
        if not good:
            raise BadInput(f"waveform {str(path)!r} could not be written to its end")

    def _account(self, result: _Result) -> tuple[int, int, int]:
        """Since the previous result: macs and cycles by the design's counters, cycles by ours."""
        # A copy, because the caller may reuse the memory of `result`.
        before, self._before = self._before, _Result.from_buffer_copy(result)
        self.cycles += result.cycles
        macs = _since(before.design_macs, result.design_macs)
        self.macs += macs
        counted = _since(before.design_cycles, result.design_cycles)
        return macs, counted, result.busy_cycles - before.busy_cycles

    def _finish(self, status: int) -> None:
        if status == 0:
            return
        message = self._library.vd_message(self._sim).decode()
        if status == 1:
            raise NoProgress(message, self._waiting())
        raise SimulationError(message)

    def _waiting(self) -> Sequence[str]:
        """What waits inside: a build that shows it repeats the run up to the hang."""
        if self.variant == "waves":
            decoder = self._running()
            if decoder is None:
                return ()
            if self._component is None:
                Fragment.get(decoder, None)  # which makes its machines
            return waiting(decoder, levels(self._library.vd_levels(self._sim).decode()))
        if self._unknown:
            return ()
        component: Any = self._component
        if component is not None:  # which can be elaborated only once
            component = type(component)(component.config)
        with RtlDecoder(
            self.config, self._image, "waves", self._stalls, component, self._watchdog,
            quiet=True, resettable=self._resettable,
        ) as again:  # fmt: skip
            try:
                for feed in self._fed:
                    again.feed(feed)
            except NoProgress as hang:
                return hang.inside
        return ()

    @property
    def _unknown(self) -> bool:
        """Whether what runs may be another decoder than that of `design`."""
        if self._component is not None:
            return not hasattr(self._component, "with_port")
        return self._elsewhere

    def _running(self) -> Any:
        """The decoder that runs, None if it is unknown."""
        if self._unknown or self._component is not None:
            return None if self._unknown else self._component
        from design.decoder import Decoder

        return Decoder(self.config)


def _since(before: int, now: int) -> int:
    """The increase of a counter of the design, which wraps around."""
    return (now - before) % (1 << ports.COUNTER_BITS)


def _copy(address: int, count: int, dtype: np.dtype | str) -> np.ndarray:
    if not count:
        return np.empty(0, dtype)
    size = count * np.dtype(dtype).itemsize
    return np.frombuffer(ctypes.string_at(address, size), dtype)
