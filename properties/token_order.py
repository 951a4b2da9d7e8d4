"""One token in flight: what is fetched for it, what runs, what is answered."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies
from properties.streams import offer_stands
from spec.config import Config
from spec.schedule import image


class TokenOrder(Theorem):
    """Each token taken is fetched for, embedded, sent through every layer in order, classified if
    asked, and answered once, before the next is taken.

    `sequencer` has the signature of `design.sequencer.TokenSequencer`. `invariants` gives
    statements about its inside, from this theorem: claimed, not believed. Obligations: 12, and one
    for each of these.
    """

    def __init__(
        self,
        config: Config,
        sequencer: Any,
        invariants: Callable[["TokenOrder"], Mapping[str, Value]],
    ):
        self.config = config
        self.sequencer = sequencer
        self.invariants = invariants
        # Of the token in flight: what it is, its runs of weights asked for, whether the embedding
        # is in the array, its layers started, whether one runs, whether the last
        # ended, whether all work is done.
        self.pending = Signal()
        self.token = Signal.like(sequencer.i_token.payload)
        self.fetched = Signal(range(3))
        self.embedded = Signal()
        self.layers = Signal(range(config.shape.layers + 1))
        self.layer_runs = Signal()
        self.after_layers = Signal()
        self.worked = Signal()
        # Of the text: where it is, whether it ended.
        self.pos = Signal(range(config.shape.seq_len))
        self.ended = Signal(init=1)

    def describe(self, m: Module) -> None:
        shape, layout, tokens = self.config.shape, image(self.config), self.sequencer
        pending, token = self.pending, self.token
        takes = tokens.i_token.valid & tokens.i_token.ready
        fetches = tokens.o_fetch.valid & tokens.o_fetch.ready
        answers = tokens.o_token.valid & tokens.o_token.ready
        answer, fetch = tokens.o_token.payload, tokens.o_fetch.payload
        last_layer = self.layers == shape.layers
        done = Mux(token.sample, tokens.classified, tokens.normed)
        first = tokens.i_token.payload.first | self.ended

        m.d.sync += self.after_layers.eq(
            pending & ~answers & (self.after_layers | (last_layer & tokens.layer_done))
        )
        with m.If(fetches):
            m.d.sync += self.fetched.eq(self.fetched + 1)
        with m.If(tokens.projection_done):
            m.d.sync += self.embedded.eq(1)
        with m.If(tokens.layer_start):
            m.d.sync += [self.layers.eq(self.layers + 1), self.layer_runs.eq(1)]
        with m.Elif(tokens.layer_done):
            m.d.sync += self.layer_runs.eq(0)
        with m.If(self.after_layers & done):
            m.d.sync += self.worked.eq(1)
        with m.If(answers):
            m.d.sync += [pending.eq(0), self.ended.eq(answer.end)]
        with m.If(takes):
            m.d.sync += [pending.eq(1), token.eq(tokens.i_token.payload)]
            m.d.sync += [self.fetched.eq(0), self.embedded.eq(0), self.layers.eq(0)]
            m.d.sync += [self.layer_runs.eq(0), self.worked.eq(0)]
            m.d.sync += self.pos.eq(Mux(first, 0, self.pos + 1))

        answer_waited = Signal()
        best = Signal.like(tokens.best)
        m.d.sync += [answer_waited.eq(tokens.o_token.valid & ~answers), best.eq(tokens.best)]
        self.suppose(
            "layer_answers",
            implies(tokens.layer_done, self.layer_runs),
            "Only a layer that runs says that it is done.",
        )
        self.suppose(
            "best_stays",
            implies(answer_waited, tokens.best == best),
            "The choice stays while its answer waits.",
        )

        self.claim(
            "one_at_a_time",
            tokens.i_token.ready == ~pending,
            "A token is taken when none is in flight, and only then.",
        )
        begins = Cat(tokens.embed_start, tokens.next_token, tokens.first_token)
        self.claim(
            "begins",
            begins == Mux(takes, Cat(1, 1, first), 0),
            "With it the embedding starts, and everybody hears whether a text begins.",
        )
        embedding = (fetch.address == token.id * layout.embedding_beats) & (
            fetch.beats == layout.embedding_beats
        )
        classifier = Mux(token.sample, layout.classifier_beats, 0)
        body = (fetch.address == layout.body) & (fetch.beats == layout.body_beats + classifier)
        due = pending & Mux(self.fetched == 0, embedding, (self.fetched == 1) & body)
        self.claims(
            "First its embedding is asked for, then layers and classifier: two runs, no more.",
            fetches_its_weights=implies(tokens.o_fetch.valid, due),
            fetch_stands=offer_stands(m, tokens.o_fetch, "fetch"),
        )
        in_turn = pending & ~self.layer_runs & ~last_layer
        behind = self.embedded | tokens.projection_done
        self.claim(
            "layers_in_turn",
            implies(tokens.layer_start, in_turn & behind),
            "A layer starts behind the one before, the first behind the embedding.",
        )
        number = Mux(tokens.layer_start, self.layers, self.layers - 1)
        runs = tokens.layer_start | self.layer_runs
        self.claim(
            "layer_is_told",
            implies(runs, tokens.layer == number),
            "Its number is shown while it runs.",
        )
        classifies = pending & last_layer & tokens.layer_done & token.sample
        self.claim(
            "classifies_if_asked",
            tokens.classify_start == classifies,
            "The classifier starts with the end of the last layer, if it is asked for.",
        )
        all_done = pending & (self.fetched == 2) & last_layer & ~self.layer_runs & self.worked
        self.claim(
            "answers_at_last",
            implies(tokens.o_token.valid, all_done),
            "There is no answer before all that was to run has run.",
        )
        named = (answer.id == Mux(token.sample, tokens.best, token.id)) & (
            answer.sampled == token.sample
        )
        chosen_end = Cat(tokens.best == end for end in shape.end_ids).any()
        ends = (token.sample & chosen_end) | (self.pos == shape.seq_len - 1)
        self.claims(
            "The answer is the best, or the token itself.",
            answer=implies(tokens.o_token.valid, named),
            end_of_text=implies(tokens.o_token.valid, answer.end == ends),
            answer_stands=offer_stands(m, tokens.o_token, "answer"),
        )
        place = (tokens.pos == self.pos) & (tokens.pos < shape.seq_len)
        self.claim(
            "position",
            place,
            "Positions count from the first token of the text, and the context never runs over.",
        )
        self.claim_inside(self.invariants(self))

        self.witness("sampled", answers & token.sample)
        self.witness("second_of_a_text", answers & (self.pos == 1) & ~token.sample)
