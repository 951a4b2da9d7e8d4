"""Components with a valid/ready stream as state machines of Hypothesis, against a Python queue."""

import functools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from amaranth import *
from amaranth.hdl import ResetInserter
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from design.argmax import Argmax
from design.beat import Sink
from design.pass_buffer import PassBuffer
from design.pipeline import Pipeline
from sim.columns import Columns
from spec.config import CONFIGS
from tests.fuzz.machines import ComponentMachine, run_rules
from tests.fuzz.reproducer import Compared
from tools.planting import PlantedBug, build_under

NANO = CONFIGS["nano"]
#: Cycles in which everything that was taken comes out, if it is popped.
ENOUGH = 40
#: Elements are integers of so many bits.
TAG_BITS = 16
elements = st.integers(0, (1 << TAG_BITS) - 1)


@dataclass(frozen=True)
class Stream:
    """What a machine knows of a component: it takes integers, and element `number` since the reset
    comes out as `expected(number, element)`. Ports are `i_valid`, `i_element`, `i_ready`,
    `o_valid`, `o_ready`, `rst`, and those of `expected`."""

    columns: Columns
    expected: Callable[[int, int], dict[str, int]]


def _columns(dut: Elaboratable, m: Module, ins: dict, outs: dict) -> Columns:
    rst = Signal()
    m.submodules.dut = dut
    return Columns(ResetInserter(rst)(m), {"rst": rst, **ins}, outs)


def pass_buffer(bug: PlantedBug | None = None) -> Stream:
    """Every bit of the payload follows the element."""
    dut, m = build_under(bug, PassBuffer, NANO), Module()
    element, same, out = Signal(TAG_BITS), Signal(), Signal(TAG_BITS)
    taken, given = dut.i.payload.as_value(), dut.o.payload.as_value()
    copies = len(given) // TAG_BITS + 1
    m.d.comb += [
        taken.eq(element.replicate(copies)),
        out.eq(given),
        same.eq(given == out.replicate(copies)[: len(given)]),
    ]
    columns = _columns(
        dut,
        m,
        {"i_valid": dut.i.valid, "i_element": element, "o_ready": dut.o.ready},
        {"i_ready": dut.i.ready, "o_valid": dut.o.valid, "element": out, "same": same},
    )
    return Stream(columns, lambda number, element: {"element": element, "same": 1})


def argmax(bug: PlantedBug | None = None) -> Stream:
    """Logits, each as late behind `ready` as it may come."""
    dut, m = build_under(bug, Argmax, NANO), Module()
    vocab, row = NANO.shape.vocab, Signal(range(NANO.shape.vocab))
    valid, element = Signal(), Signal(TAG_BITS)
    way = Pipeline(unsigned(TAG_BITS), Argmax.on_their_way, name="way")
    way.follow(m, valid & dut.ready, element)
    with m.If(dut.i.valid):
        m.d.sync += row.eq(Mux(row == vocab - 1, 0, row + 1))
    width = NANO.numerics.logits.width
    out, last = Signal(width), Signal()
    m.d.comb += [
        dut.i.valid.eq(way.valid[-1]),
        dut.i.p.sink.eq(Sink.CLS.value),
        dut.i.p.value.eq(way.steps[-1]),
        dut.i.p.row.eq(row),
        out.eq(dut.o_logits.p.value),
        last.eq(dut.o_logits.p.last),
    ]
    columns = _columns(
        dut,
        m,
        {"i_valid": valid, "i_element": element, "o_ready": dut.o_logits.ready},
        {
            "i_ready": dut.ready,
            "o_valid": dut.o_logits.valid,
            "value": out,
            "last": last,
        },
    )

    def expected(number: int, element: int) -> dict[str, int]:
        value = element & ((1 << width) - 1)
        return {"value": value, "last": number % vocab == vocab - 1}

    return Stream(columns, expected)


class StreamMachine(ComponentMachine):
    """Pushes, stalls, pops and resets, a cycle each, compared with a queue as they happen."""

    def __init__(self, stream: Stream, record: Callable[[Compared], None]):
        super().__init__(stream.columns, record)
        self.stream = stream
        self._forget()

    def _forget(self) -> None:
        self.queue: deque[dict[str, int]] = deque()
        self.pushed = 0
        self.offered: int | None = None  # until it is taken
        self.stalled: dict[str, int] | None = None  # what must be offered still

    @rule(element=st.none() | elements, pop=st.booleans())
    def cycle(self, element: int | None, pop: bool) -> None:
        """One cycle: what is offered and was not taken is offered still, else `element`."""
        if self.offered is None:
            self.offered = element
        outs = self._run(i_valid=self.offered is not None, i_element=self.offered or 0, o_ready=pop)
        if self.offered is not None and outs["i_ready"]:
            self.queue.append(self.stream.expected(self.pushed, self.offered))
            self.pushed += 1
            self.offered = None
        shown = {name: outs[name] for name in self.stream.expected(0, 0)} if outs["o_valid"] else {}
        self.values += 1  # whether anything comes out
        if self.stalled is not None:
            assert shown == self.stalled, "what was stalled must stay"
        if shown:
            assert self.queue, f"{shown} came out, though nothing is inside"
            assert shown == self.queue[0]
            self.values += len(shown)
        self.stalled = shown if shown and not pop else None
        if shown and pop:
            self.queue.popleft()

    @rule(many=st.lists(elements, max_size=20), pop=st.booleans())
    def push(self, many: list[int], pop: bool) -> None:
        """Back to back, popped or stalled at the other end."""
        for element in many:
            self.cycle(element, pop)

    @rule()
    def drain(self) -> None:
        """Nothing new comes, and all that is inside comes out."""
        for _ in range(ENOUGH):
            self.cycle(None, True)
        assert self.offered is None, "it was never taken"
        assert not self.queue, "it never came out"

    @rule(element=elements, pop=st.booleans())
    def reset(self, element: int, pop: bool) -> None:
        """What is inside is lost, as is what is offered in the same cycle."""
        self._run(rst=1, i_valid=1, i_element=element, o_ready=pop)
        self._forget()

    @invariant()
    def bounded(self) -> None:
        """It stalls before it holds much."""
        assert len(self.queue) <= ENOUGH // 2

    def _run(self, **inputs: int) -> dict[str, int]:
        self.cycles += 1
        return self.running.cycle(**inputs)


BUGS = [
    (
        pass_buffer,
        PlantedBug(
            "a pass that is held is overwritten", "design.pass_buffer", "PassBuffer.elaborate",
            "holds.eq(self.i.valid & ~full & ~self.o.ready)",
            "holds.eq(self.i.valid & ~self.o.ready)",
        ),
    ),
    (
        pass_buffer,
        PlantedBug(
            "a pass that is held survives a reset", "design.pass_buffer", "PassBuffer.__init__",
            "Signal()", "Signal(reset_less=True)",
        ),
    ),
    (
        argmax,
        PlantedBug(
            "the queue has too little room for logits on their way", "design.argmax",
            "Argmax.elaborate",
            "self.depth - self.on_their_way - 1", "self.depth - self.on_their_way",
        ),
    ),
]  # fmt: skip


def run(make: Callable[[], Stream], record: Callable, rules: settings) -> None:
    stream = make()  # built once
    run_rules(lambda: StreamMachine(stream, record), rules, times=4)


@pytest.mark.parametrize("make", [pass_buffer, argmax])
def test_streams(make, fuzz_record, rule_settings) -> None:
    run(make, fuzz_record, rule_settings)


@pytest.mark.parametrize(("make", "bug"), BUGS, ids=[bug.name for _, bug in BUGS])
def test_a_bug_of_a_stream_is_caught(make, bug, planted_settings) -> None:
    with pytest.raises(AssertionError):
        run(functools.partial(make, bug), lambda compared: None, planted_settings)
