"""The decoder as a whole: whether it ever stands still, whether units keep each other's contracts.

These theorems are for explicit-state model checking (engine `explore`). What data decide, the end
of a text, is a cutpoint; that nothing else is decided by data is `leaks.timing`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import *

from design.beat import Sink
from properties.dialect import (
    ASSERT_FAIR,
    ASSUME_FAIR,
    CUT,
    HELD,
    HOLDER,
    STAND_IN,
    Theorem,
    anything,
    implies,
)
from properties.kv_external import KvRow
from properties.loops import Counters, Loops
from properties.streams import taken
from spec.config import CacheBacking, Config
from spec.schedule import image

#: Beats that `Issue` has room for.
PLACES = 4


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Components of a `design.decoder.Decoder`, and signals inside them.

    `asks`: of units that ask by one port for several products, when they ask for each. `held`:
    registers that hold something only while another one, of one bit, is high. `ended`: the register
    that says that the text has. `counters`: given when the loops are to run any number of times.
    """

    decoder: Any
    tokens: Any
    layers: Any
    stages: Mapping[str, Any]
    issue: Any
    cache: Any
    # On the chip the owner of each layer, else the cache.
    caches: Sequence[Any]
    # Those that have a `fault`, and the others.
    units: Mapping[str, Any]
    inner: Mapping[str, Any]
    scalars: Sequence[Any]
    asks: Mapping[str, Sequence[Value]]
    held: Mapping[str, tuple[Value, Value]]
    ended: Value
    counters: Counters | None = None


class Whole(Theorem):
    """What all theorems on the whole decoder share: its cuts, and the token in flight.

    With `parts.counters`, in any context, with any number of passes of the classifier
    (`properties.loops`). An external cache has its words whenever it likes, and stores a row when
    it likes (`any_memory`); or there is a memory behind it that keeps its contract.
    """

    def __init__(self, config: Config, parts: Parts, *, any_memory: bool = True):
        self.config = config
        self.parts = parts
        # No token is in flight.
        self.idle = Signal(init=1)
        # Logits of passes that have left the stage, and are not taken: no more than the queue holds
        # and a pass for each place on the way to it.
        most = 16 + 16 * config.geometry.lanes
        self.due = Signal(range(most + 1))
        # What is on its way to and from an external memory.
        external = config.geometry.cache is CacheBacking.EXTERNAL
        self.row = KvRow(config, parts.caches[0]) if external else None
        self.any_memory = any_memory
        self.loops = Loops(config, parts.stages, parts.counters) if parts.counters else None
        # Where positions are not counted, any may be the last.
        is_full = C(0, 1) if self.loops else parts.tokens.pos == config.shape.seq_len - 1
        answer, logit = parts.decoder.o_token.payload, parts.decoder.o_logits.payload
        ends: dict[str, Value] = {
            # The answer ends the text when the context is full, or as data will have it.
            f"{CUT}end": answer.end,
            f"{STAND_IN}end": is_full | anything(1),
            # A logit keeps its `last` in the queue: it is the one behind which nothing comes.
            f"{CUT}last": logit.last,
            f"{STAND_IN}last": (self.due == 1) & ~parts.stages["projection"].o.valid,
        }
        if self.row and any_memory:
            ends[f"{CUT}words_ready"] = parts.cache.rd_ready
        # Whether a text has ended is asked when the next token comes.
        held = {**parts.held, "ended": (parts.ended, self.idle)}
        if self.loops:
            ends |= self.loops.ends()
            held |= self.loops.held()
        for name, (register, holder) in held.items():
            ends |= {f"{HELD}{name}": Value.cast(register), f"{HOLDER}{name}": holder}
        self._ends = {name: (Signal(len(value), name=name), value) for name, value in ends.items()}

    def outputs(self) -> dict[str, Signal]:
        """The outputs of a model that states this theorem."""
        return {name: signal for name, (signal, _) in self._ends.items()}

    def besides(self) -> tuple[str, ...]:
        return tuple(name for name in self._ends if name.startswith(STAND_IN))

    def observe(self, m: Module) -> None:
        """Drive the outputs, and the signals above."""
        decoder = self.parts.decoder
        m.d.comb += [signal.eq(value) for signal, value in self._ends.values()]
        with m.If(taken(decoder.i_token)):
            m.d.sync += self.idle.eq(0)
        with m.Elif(taken(decoder.o_token)):
            m.d.sync += self.idle.eq(1)
        offer = self.parts.stages["projection"].o
        beat = offer.payload
        classified = taken(offer) & beat.last & (beat.sink == Sink.CLS)
        more = Mux(classified, beat.count, 0)
        m.d.sync += self.due.eq(self.due + more - taken(decoder.o_logits))
        if self.loops:
            self.loops.follow(m)
        if self.row:
            self.row.follow(m)
            if not self.any_memory:
                self.row.of_memory(self.suppose)


class EveryTokenAnswered(Whole):
    """If no stream is stalled for ever, each token that the decoder takes is answered."""

    def __init__(self, config: Config, parts: Parts):
        # Only a memory that answers lets anybody else be answered.
        super().__init__(config, parts, any_memory=False)
        waits = {
            name: port.ready & ~port.valid if name[0] == "i" else port.valid & ~port.ready
            for name in ("o_fetch", "i_weights", "o_logits", "o_token")
            for port in (getattr(parts.decoder, name),)
        }
        if self.row:
            waits |= self.row.waits()
        # Infinitely often, the decoder does not wait for the other side.
        moving = {f"{ASSUME_FAIR}{name}": ~wait for name, wait in waits.items()}
        # Infinitely often, no token waits for its answer.
        moving[f"{ASSERT_FAIR}answered"] = self.idle | taken(parts.decoder.o_token)
        if self.loops:
            moving |= self.loops.fairness()
        self._ends |= {name: (Signal(name=name), value) for name, value in moving.items()}

    def describe(self, m: Module) -> None:
        self.observe(m)
        answer = self.parts.decoder.o_token
        self.witness("sampled", taken(answer) & answer.payload.sampled)
        self.witness("not_sampled", taken(answer) & ~answer.payload.sampled)


class NoClash(Whole):
    """In the whole decoder no multiplier is asked twice in a cycle, no result is lost, no stage or
    layer is started while it works, and each token takes the weights that it fetched, no more.

    Where loops run any number of times, what it fetched is what its projections offered: how many
    beats that are is in `properties.scheduled_beats`.

    Obligations: 5, and one for each unit that has a `fault` or asks for several products; none for
    an external cache.
    """

    def describe(self, m: Module) -> None:
        self.observe(m)
        parts = self.parts
        decoder, tokens, layers = parts.decoder, parts.tokens, parts.layers

        units = dict(parts.units)
        if self.row and self.any_memory:
            del units["cache"]  # `KvExternalRowDone`, under its contract
        for name, unit in units.items():
            self.claim(
                f"{name}_without_fault", ~unit.fault, "Nothing happens that the unit cannot take."
            )
        faults = Cat(scalar.fault for scalar in parts.scalars)
        self.claim(
            "scalars_without_fault",
            ~faults.any(),
            "No scalar multiplier is asked twice in a cycle.",
        )
        for name, asks in parts.asks.items():
            twice = [one & other for one, other in itertools.combinations(asks, 2)]
            self.claim(
                f"{name}_asks_once",
                ~Cat(twice).any(),
                "By one port a unit asks for one product in a cycle; scalar multipliers see no "
                "more.",
            )
        works = {name: stage.o.valid for name, stage in parts.stages.items()}
        restarts = Cat(stage.start & works[name] for name, stage in parts.stages.items())
        self.claim(
            "stages_started_when_idle", ~restarts.any(), "A stage is started while it is idle."
        )
        others = Cat(works.values())
        self.claim(
            "one_stage_at_a_time",
            (others & (others - 1))[:3] == 0,
            "Beats come from one stage at a time.",
        )
        layer_runs = Signal()
        with m.If(layers.start):
            m.d.sync += layer_runs.eq(1)
        with m.Elif(layers.done):
            m.d.sync += layer_runs.eq(0)
        self.claim(
            "layer_started_when_idle",
            ~(layers.start & layer_runs),
            "The layer sequencer is started when its layer is done.",
        )
        whole, in_order = self._weights(m)
        whole = whole & ~self.idle & ~tokens.i_token.ready
        kept = in_order & implies(decoder.o_token.valid, whole)
        self.claim(
            "takes_what_it_fetches", kept, "By the answer, a token took all beats that it fetched."
        )

        self.witness("answer", taken(decoder.o_token) & decoder.o_token.payload.sampled)

    def _weights(self, m: Module) -> tuple[Value, Value]:
        """Whether all was taken that was fetched; and whether, until now, that is known."""
        decoder, layout = self.parts.decoder, image(self.config)
        if self.loops:
            # Beats that are to read the stream, and have not; more have no place in `Issue`.
            offer = self.parts.stages["projection"].o
            under_way = Signal(range(2 * PLACES))
            m.d.sync += under_way.eq(under_way + taken(offer) - taken(decoder.i_weights))
            return under_way == 0, under_way <= PLACES
        most = layout.embedding_beats + layout.body_beats + layout.classifier_beats
        fetched, used = Signal(range(most + 1)), Signal(range(most + 2))
        with m.If(taken(decoder.o_token)):
            m.d.sync += [fetched.eq(0), used.eq(0)]
        with m.Else():
            m.d.sync += used.eq(used + taken(decoder.i_weights))
            with m.If(taken(decoder.o_fetch)):
                m.d.sync += fetched.eq(fetched + decoder.o_fetch.payload.beats)
        return fetched == used, C(1, 1)
