"""A decoder whose states can be counted: one record more a cycle on its trace."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import data

from design.decoder import Decoder
from golden.case import Feed
from sim.build import Build, Variant, build, cache_folder
from sim.harness import STREAMS
from sim.rtl_decoder import RtlDecoder, Step
from spec.config import Config
from spec.trace import Tensor

#: The number of the record in place of that of a tensor, and the bits that it has room for.
SNAPSHOT, ROOM = 0xFFFF, 16 + 32 + 32


class ObservedDecoder(Elaboratable):
    """`Decoder(config)`, with its state in every cycle as the last channel of the trace.

    `machines` are its state machines by name, each as the names of its states by code, and `events`
    what happens in a cycle; both are known when it is elaborated.
    """

    def __init__(self, config: Config):
        self._decoder = Decoder(config)
        room = {"valid": 1, "tensor": 16, "layer": 16, "index": 32, "value": 32}
        self._snapshot = Signal(data.StructLayout({name: unsigned(n) for name, n in room.items()}))
        self.trace = (*self._decoder.trace, self._snapshot)
        self.machines: dict[str, dict[int, str]] = {}
        self.events: tuple[str, ...] = ()

    def __getattr__(self, port: str) -> Any:
        return getattr(self._decoder, port)

    @property
    def units(self) -> tuple[str, ...]:
        """The name of the unit behind each channel of the trace but the last."""
        parts = self._decoder.with_port("trace")
        return tuple(name for name, part in parts.items() for _ in part.trace)

    def elaborate(self, platform) -> Module:
        """The decoder, elaborated, and its snapshot."""
        m = Module()
        m.submodules.decoder = Fragment.get(self._decoder, platform)
        machines, events = dict(_machines(self._decoder)), dict(_events(self._decoder))
        self.machines = {
            name: {code: str(state) for state, code in fsm.encoding.items()}
            for name, fsm in machines.items()
        }
        self.events = tuple(events)
        codes = [Cat(fsm.state, C(0, 8))[:8] for fsm in machines.values()]
        bits = Cat(codes, events.values())
        assert len(bits) <= ROOM, "the record has no room for so many"
        taken = self._snapshot
        m.d.comb += [
            taken.valid.eq(1),
            taken.tensor.eq(SNAPSHOT),
            Cat(taken.layer, taken.index, taken.value).eq(bits),
        ]
        return m


def _machines(decoder: Decoder) -> Iterator[tuple[str, Any]]:
    yield "token", decoder.token_sequencer.fsm
    yield "layers", decoder.layer_sequencer.fsm
    for name in ("projection", "score", "value"):
        yield name, getattr(decoder, name).fsm
    if reader := getattr(decoder.cache, "reader", None):
        yield "cache reads", reader.fsm
    if fsm := getattr(decoder.rope.angles, "fsm", None):
        yield "angles", fsm


def _events(decoder: Decoder) -> Iterator[tuple[str, Value]]:
    """What may happen in a cycle: waiting at a port, or a read that meets its write."""
    for name in STREAMS:
        stream = getattr(decoder, name)
        if name.startswith("o_"):
            yield f"{name} not taken", stream.valid & ~stream.ready
        elif name != "i_kv_words":  # is always ready
            yield f"{name} late", stream.ready & ~stream.valid
    yield "the array stops", ~decoder.issue.en
    scores = [(port.read, port.write) for port in decoder.softmax.ports]
    yield (
        "a score is read as it is written",
        Cat(read.en & write.en & (read.addr == write.addr) for read, write in scores).any(),
    )


class ObservedRtl(RtlDecoder):
    """An `RtlDecoder` of an `ObservedDecoder`; `reached` are the names of what was seen, and
    `largest` the magnitudes of sums.

    A name is a step of a state machine (``token: Drain > Answer``), an event in a state of the
    token's (``i_weights late in Layers``), or what the host did (``a text of one token``).
    """

    def __init__(
        self,
        config: Config,
        image: np.ndarray,
        variant: Variant = "quick",
        stalls: int | None = None,
        *,
        quiet: bool = False,
        resettable: bool = True,
    ):
        self._decoder, made = _built(config, variant, cache_folder(), resettable)
        self.reached: set[str] = set()
        self.largest = dict.fromkeys((Tensor.QKV_SUM, Tensor.ATTENTION_SUM, Tensor.W13_SUM), 0)
        self._states = np.empty((0, len(self._decoder.machines)), np.uint8)
        self._answered: Step | None = None
        self._was_reset = False
        super().__init__(config, image, variant, stalls, quiet=quiet, made=made)

    @property
    def machines(self) -> dict[str, dict[int, str]]:
        """The state machines, in the order of a snapshot's bytes."""
        return self._decoder.machines

    def feed(self, feed: Feed) -> Step:
        """As `RtlDecoder.feed`; the records are without the snapshots."""
        self.reached |= set(self._begins(feed))
        step = super().feed(feed)
        assert step.records is not None
        self._was_reset = feed.reset is not None
        taken = step.records["tensor"] == SNAPSHOT
        self._see(step.records[taken])
        if not step.reset:
            self.reached |= set(self._ends(feed, step))
        values = step.records[~taken]
        for tensor, largest in self.largest.items():
            of_tensor = values["value"][values["tensor"] == tensor.value].astype(np.int64)
            self.largest[tensor] = max(largest, int(np.abs(of_tensor).max(initial=0)))
        self._answered = step
        if self._was_reset:
            self.reached.add(f"reset in {self._decoder.machines['token'][self._states[-1, 0]]}")
            self._states = self._states[:0]
        assert step.origins is not None
        return dataclasses.replace(step, records=values, origins=step.origins.only(~taken))

    def units(self) -> tuple[str, ...]:
        """As `RtlDecoder.units`."""
        return self._decoder.units

    def _begins(self, feed: Feed) -> Iterator[str]:
        """What is unusual about a token, as it is offered."""
        if self._answered is None:
            return
        if self._was_reset:
            yield f"a text begins behind a reset{'' if feed.first else ', unsaid'}"
            return
        ended = self._answered.end
        if ended or feed.first:
            if self.pos == 1:
                yield "a text of one token"
            yield (
                "a text begins in another" if not ended
                else "a text begins behind an end" if feed.first
                else "a text begins behind an end, unsaid"
            )  # fmt: skip
        elif self._answered.logits is not None:
            yield "a choice is taken" if feed.token == self._answered.id else "a choice is ignored"

    def _ends(self, feed: Feed, step: Step) -> Iterator[str]:
        """How a text ends."""
        if step.end and self.pos < self.config.shape.seq_len:
            yield "a choice ends a text"
        elif step.end:
            yield f"a context is full, {'sampled' if feed.sample else 'not sampled'}"

    def _see(self, taken: np.ndarray) -> None:
        """Take the names from snapshots, one for each cycle."""
        rows = snapshot_bytes(taken)
        machines = self._decoder.machines
        states = np.vstack([self._states, rows[:, : len(machines)]])
        self._states = states[-1:]
        for column, (name, names) in enumerate(machines.items()):
            a, b = states[:-1, column], states[1:, column]
            steps = np.unique(a[a != b].astype(np.uint16) * 256 + b[a != b])
            self.reached |= {f"{name}: {names[n >> 8]} > {names[n & 255]}" for n in steps.tolist()}
        happened = np.unpackbits(rows[:, len(machines) :], axis=1, bitorder="little")
        token = states[-len(rows) :, 0]
        for number, event in enumerate(self._decoder.events):
            seen = np.flatnonzero(np.bincount(token[happened[:, number] > 0])).tolist()
            self.reached |= {f"{event} in {machines['token'][state]}" for state in seen}


def snapshot_bytes(taken: np.ndarray) -> np.ndarray:
    """(cycles, bytes): the records of snapshots; a byte for each state machine comes first."""
    packed = np.empty(len(taken), [("layer", "<u2"), ("index", "<u4"), ("value", "<i4")])
    for name in packed.dtype.names or ():
        packed[name] = taken[name]
    return packed.view(np.uint8).reshape(len(taken), ROOM // 8)


@functools.cache
def _built(
    config: Config, variant: Variant, folder: Path, resettable: bool
) -> tuple[ObservedDecoder, Build]:
    """Elaborated once a process; what is compiled is in `folder`."""
    decoder = ObservedDecoder(config)
    component: Any = decoder
    return decoder, build(config, variant, component, quiet=True, resettable=resettable)
