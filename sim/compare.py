"""Compares the golden decoder with the RTL: every traced value of every step, bit-exactly."""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from design import ports
from golden.case import Feed, Host
from sim.rtl_decoder import RECORD, SimulationError, Step
from spec.config import Config
from spec.derived import ceil_pow2
from spec.fixed import SQ
from spec.trace import ONCE, Tensor, format_of, sizes, stage_of

Trace = Mapping[Tensor, np.ndarray]

#: Tensors computed after the last layer.
FINAL = (Tensor.RSQRT_FINAL, Tensor.LOGITS_SUM, Tensor.LOGITS)


class Decoder(Protocol):
    """Anything that decodes as the host asks: a simulation of the RTL, or golden behind it."""

    @property
    def config(self) -> Config:
        """Its configuration."""

    @property
    def ports_only(self) -> bool:
        """Whether it has no trace, so that only its ports can be compared."""

    def feed(self, feed: Feed) -> Step:
        """Process one token just as the host offers it."""


class Golden(Protocol):
    """The part of `golden.fast.decoder.FixedDecoder` used for comparing."""

    @property
    def trace(self) -> Trace:
        """Every intermediate of the last step."""

    def reset(self) -> None:
        """Begin a new sequence."""

    def step(self, tokens: np.ndarray, *, trace: bool = False) -> np.ndarray:
        """tokens (1,) -> logits (1, V) as integers."""

    def products(self, *, classified: bool) -> int:
        """Multiply-accumulates of the last step."""


@dataclass(frozen=True)
class Place:
    """Where a traced value is in the design and in time.

    `unit` is the part of the decoder that traces the tensor, on trace channel `channel`; `cycle`
    counts clock cycles since power-on, and `begin` is the one in which the token was offered. A
    value that is missing has no cycle. `form` is its number format, None for a whole number.
    """

    unit: str
    channel: int
    begin: int
    cycle: int | None
    form: SQ | None

    def __str__(self) -> str:
        unit = f" traced by {self.unit}" if self.unit else ""
        if self.cycle is None:
            return unit.strip()
        offset = self.cycle - self.begin
        return f"{unit} in cycle {offset:,} of the token, {self.cycle:,} since power-on".strip()


@dataclass(frozen=True)
class Difference:
    """The first difference between golden and RTL.

    `kind` is ``value``, ``missing`` (not traced by the RTL), ``unexpected`` (not in golden),
    ``twice`` (traced more than once by the RTL), ``answer`` (the chosen token), ``counter`` (`rtl`
    is the increase of the counter named by `detail`, `macs` or `cycles`; `golden` is golden's
    number of products, or the cycles by the driver's clock) or ``simulation`` (the RTL violated the
    protocol of its ports: see `detail`). `place` is that of a traced value.
    """

    kind: str
    position: int
    token: int
    layer: int | None = None
    tensor: Tensor | None = None
    element: int | None = None
    golden: int | None = None
    rtl: int | None = None
    detail: str = ""
    place: "Place | None" = None

    def __str__(self) -> str:
        location = f"position {self.position} (token {self.token})"
        if self.tensor is not None:
            layer = "" if self.tensor in ONCE else f"layer {self.layer}, "
            location += f", {layer}{self.tensor.name}[{self.element}]"
            return f"{location}: {self._traced()}"
        if self.kind == "answer":
            return f"{location}: golden chooses {self.golden}, RTL {self.rtl}"
        if self.kind == "counter":
            return f"{location}, counter {self.detail}: expected {self.golden}, RTL {self.rtl}"
        return f"{location}: {self.detail}"

    def _traced(self) -> str:
        """What differs of a traced value, as integers and in real units, and where that is."""
        golden, rtl = (self._shown(value) for value in (self.golden, self.rtl))
        text = {
            "value": f"golden {golden}, RTL {rtl}",
            "missing": f"golden {golden}, RTL traced nothing",
            "unexpected": f"RTL traced {rtl}, golden has no such value",
            "twice": f"RTL traced it more than once, last {rtl}",
        }[self.kind]
        if self.detail:
            text += f" {self.detail}"
        if self.place is None or self.tensor is None:
            return text
        form = f", {self.place.form}" if self.place.form else ""
        return f"{text}{form}; stage {stage_of(self.tensor).name}, {self.place}"

    def _shown(self, value: int | None) -> str:
        form = None if self.place is None else self.place.form
        return f"{value}" if form is None or value is None else f"{value} ({value / form.scale:g})"


@dataclass(frozen=True)
class Progress:
    """Totals after each token, which was at `position`; `seconds` is the time spent in the RTL.

    `difference` ends the comparison.
    """

    position: int
    feed: Feed
    values: int
    cycles: int
    macs: int
    seconds: float
    difference: Difference | None = None


class Flattener:
    """Maps each traced value to a key, ordered by layer, then tensor, then element.

    Tensors before the layers count as layer 0, those after the last layer as an additional layer,
    so that the order of keys is the order of processing.
    """

    def __init__(self, config: Config):
        room = sizes(config)
        self.tensors = [tensor for tensor in Tensor if tensor in room]
        ends = np.cumsum([room[tensor] for tensor in self.tensors])
        self.starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        self.per_layer = int(ends[-1])
        self.offsets = np.zeros(len(Tensor), dtype=np.int64)
        self.offsets[[tensor.value for tensor in self.tensors]] = self.starts
        self.last = config.shape.layers
        self.row = ceil_pow2(config.shape.seq_len)
        self.final = np.zeros(1 << 16, dtype=np.int64)
        self.final[[tensor.value for tensor in FINAL]] = self.last

    def golden(self, trace: Trace, sampled: bool) -> tuple[np.ndarray, np.ndarray]:
        """(keys, values), sorted by key."""
        keys, values = [], []
        for tensor, array in trace.items():
            if tensor in (Tensor.LOGITS_SUM, Tensor.LOGITS) and not sampled:
                continue
            layers = np.arange(len(array)) + self.final[tensor.value]
            if array.ndim == 3:  # (layers, heads, pos + 1)
                element = np.arange(array.shape[1])[:, None] * self.row + np.arange(array.shape[2])
            else:
                element = np.arange(array.shape[1])
            base = layers * self.per_layer + self.offsets[tensor.value]
            keys.append((base[:, None] + element.reshape(1, -1)).ravel())
            values.append(np.asarray(array, dtype=np.int64).ravel())
        return _sorted(np.concatenate(keys), np.concatenate(values))

    def rtl(self, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(keys, values) of trace records, sorted by key; equal keys stay in order."""
        tensor = records["tensor"].astype(np.int64)
        layer = records["layer"] + self.final[tensor]
        keys = layer * self.per_layer + self.offsets[tensor] + records["index"]
        return _sorted(keys, records["value"].astype(np.int64))

    def records(self, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The trace records of keys and values; the inverse of `rtl`."""
        layer, rest = np.divmod(keys, self.per_layer)
        number = np.searchsorted(self.starts, rest, side="right") - 1
        records = np.empty(len(keys), RECORD)
        records["tensor"] = np.array([tensor.value for tensor in self.tensors])[number]
        records["layer"] = layer - self.final[records["tensor"]]
        records["index"] = rest - self.starts[number]
        records["value"] = values
        return records

    def locate(self, key: int) -> tuple[int, Tensor, int]:
        """(layer, tensor, element) of a key."""
        layer, rest = divmod(key, self.per_layer)
        number = int(np.searchsorted(self.starts, rest, side="right")) - 1
        tensor = self.tensors[number]
        return (0 if tensor in ONCE else layer), tensor, int(rest - self.starts[number])


def _sorted(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]


def first_difference(
    flattener: Flattener,
    golden: tuple[np.ndarray, np.ndarray],
    rtl: tuple[np.ndarray, np.ndarray],
    position: int,
    token: int,
) -> Difference | None:
    """The difference with the smallest key, or None when both are the same."""
    golden_keys, golden_values = golden
    rtl_keys, rtl_values = rtl
    if np.array_equal(golden_keys, rtl_keys) and np.array_equal(golden_values, rtl_values):
        return None
    candidates: list[tuple[int, str, int | None, int | None]] = []

    def note(kind: str, keys: np.ndarray) -> None:
        if len(keys):
            key = int(keys.min())
            in_golden = np.searchsorted(golden_keys, key)
            in_rtl = np.searchsorted(rtl_keys, key, side="right") - 1
            expected = golden_keys[in_golden : in_golden + 1] == key
            got = in_rtl >= 0 and rtl_keys[in_rtl] == key
            candidates.append(
                (
                    key,
                    kind,
                    int(golden_values[in_golden]) if expected.any() else None,
                    int(rtl_values[in_rtl]) if got else None,
                )
            )

    note("missing", np.setdiff1d(golden_keys, rtl_keys))
    note("unexpected", np.setdiff1d(rtl_keys, golden_keys))
    both, in_golden, in_rtl = np.intersect1d(golden_keys, rtl_keys, return_indices=True)
    note("value", both[golden_values[in_golden] != rtl_values[in_rtl]])
    note("twice", rtl_keys[1:][rtl_keys[1:] == rtl_keys[:-1]])
    key, kind, expected, got = min(candidates, key=lambda entry: entry[0])
    layer, tensor, element = flattener.locate(key)
    return Difference(kind, position, token, layer, tensor, element, expected, got)


def miscount(products: int, step: Step, position: int, token: int) -> Difference | None:
    """A difference if a counter of the RTL is wrong after `step`, or None."""
    for name, expected, counted in (
        ("macs", products, step.macs),
        ("cycles", step.busy_cycles, step.counted_cycles),
    ):
        if counted != expected % (1 << ports.COUNTER_BITS):
            return Difference("counter", position, token, golden=expected, rtl=counted, detail=name)
    return None


@dataclass(frozen=True)
class Expected:
    """What golden says of one token: sorted `keys` of its traced values (see `Flattener`) and the
    `values`, its `logits` (V,), the `answer` and `end` on `o_token`, the number of `products`.

    All this is of the whole token, even if a reset cuts it off."""

    feed: Feed
    position: int
    keys: np.ndarray
    values: np.ndarray
    logits: np.ndarray
    answer: int
    end: bool
    products: int


class Reference:
    """A golden decoder that is asked as the RTL is: a token behind the end of a text, or behind a
    reset, begins one, whether it says so or not, as does the first of all."""

    def __init__(self, golden: Golden, config: Config):
        self.golden, self.config = golden, config
        self.flattener = Flattener(config)
        self.position, self._ended = -1, True

    def feed(self, feed: Feed) -> Expected:
        """What the answer must be."""
        golden, shape, sample = self.golden, self.config.shape, feed.sample
        if feed.first or self._ended:
            golden.reset()
            self.position = -1
        self.position += 1
        logits = golden.step(np.array([feed.token]), trace=True)[0]
        keys, values = self.flattener.golden(golden.trace, sample)
        answer = int(np.argmax(logits)) if sample else feed.token
        full = self.position == shape.seq_len - 1
        end = (sample and shape.ends_text(answer, forced=False)) or full
        self._ended = end or feed.reset is not None
        products = golden.products(classified=sample)
        return Expected(feed, self.position, keys, values, logits, answer, end, products)


def expectations(golden: Golden, config: Config, host: Host) -> Iterator[Expected]:
    """What golden says of each token that `host` offers, which is sent golden's answers."""
    reference = Reference(golden, config)
    feed: Feed | None = next(host)
    while feed is not None:
        expected = reference.feed(feed)
        yield expected
        try:
            feed = host.send(expected.answer)
        except StopIteration:
            feed = None


def judge(flattener: Flattener, expected: Expected, step: Step) -> Difference | None:
    """The first difference of all that `step` shows; without a trace, that is what the ports do.

    Of a token that a reset cuts off, all that came before must be golden's, and nothing is missing;
    the counters are not compared."""
    position, token, logits = expected.position, expected.feed.token, expected.logits
    if step.records is not None:
        traced = flattener.rtl(step.records)
        golden = (expected.keys, expected.values)
        if step.reset:
            came = np.isin(expected.keys, traced[0])
            golden = (expected.keys[came], expected.values[came])
        if difference := first_difference(flattener, golden, traced, position, token):
            return difference
    if step.reset and step.logits is not None:
        logits = logits[: len(step.logits)]
    if step.logits is not None and (step.logits != logits).any():
        element = int(np.flatnonzero(step.logits != logits)[0])
        return Difference(
            "value", position, token, 0, Tensor.LOGITS, element, int(logits[element]),
            int(step.logits[element]), "on o_logits",
        )  # fmt: skip
    if step.reset and step.id < 0:  # it was not answered
        return None
    if step.id != expected.answer:
        return Difference("answer", position, token, golden=expected.answer, rtl=step.id)
    if step.end != expected.end:
        detail = f"o_token.end is {int(step.end)}, must be {int(expected.end)}"
        return Difference("simulation", position, token, detail=detail)
    return None if step.reset else miscount(expected.products, step, position, token)


def located(difference: Difference, step: Step, config: Config) -> Difference:
    """With its place, if it is one of a traced value."""
    tensor, origins, records = difference.tensor, step.origins, step.records
    if tensor is None or difference.element is None or origins is None or records is None:
        return difference
    of_tensor = np.flatnonzero(records["tensor"] == tensor.value)
    same = of_tensor[
        (records["layer"][of_tensor] == difference.layer)
        & (records["index"][of_tensor] == difference.element)
    ]
    channel = int(origins.channels[of_tensor[0]]) if len(of_tensor) else -1
    cycle = int(origins.cycles[same[-1]]) if len(same) else None
    units = origins.units()
    unit = units[channel] if 0 <= channel < len(units) else ""
    form = format_of(config, tensor, difference.element)
    place = Place(unit, channel, origins.begin, cycle, form)
    return dataclasses.replace(difference, place=place)


def compare(golden: Golden, rtl: Decoder, host: Host) -> Iterator[Progress]:
    """Compare token by token what `host` offers, which is sent golden's answers; ends with it, or
    at a difference: of every value that `rtl` traces, of its answers, and of its counters.
    """
    return compare_with(expectations(golden, rtl.config, host), rtl)


def compare_with(expected: Iterable[Expected], rtl: Decoder) -> Iterator[Progress]:
    """As `compare`, with what golden said."""
    flattener = Flattener(rtl.config)
    values = cycles = macs = 0
    seconds = 0.0
    for one in expected:
        feed, position = one.feed, one.position
        begin = time.perf_counter()
        try:
            step = rtl.feed(feed)
        except SimulationError as error:
            broken = Difference("simulation", position, feed.token, detail=str(error))
            yield Progress(position, feed, values, cycles, macs, seconds, difference=broken)
            return
        seconds += time.perf_counter() - begin
        assert step.records is not None or rtl.ports_only, "compare needs a variant with trace"
        difference = judge(flattener, one, step)
        if difference is not None and step.origins is not None:
            difference = located(difference, step, rtl.config)
        if step.records is None:
            values += step.shown
        else:
            values += len(step.records) if step.reset else len(one.keys)
        cycles += step.cycles
        macs += step.macs
        yield Progress(position, feed, values, cycles, macs, seconds, difference)
        if difference is not None:
            return
