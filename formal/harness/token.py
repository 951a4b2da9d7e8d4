"""The token sequencer, as a device whose start is a token taken and whose done is its answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment

from design.sequencer import IDLE, TokenSequencer, TokenState
from formal.harness.inside import state_exists, states
from formal.harness.stage import Device
from formal.model import Model
from properties.dialect import implies
from properties.done_pulse import Handshake
from properties.token_order import TokenOrder
from spec.config import Config


def device(config: Config) -> Device:
    """What is left are the states, of which a layer takes two: one it starts in, one it ends in."""
    dut = TokenSequencer(config)
    inside = Fragment.get(dut, None)  # its FSM is made there
    layers, sample, state = config.shape.layers, dut.token.sample, states(dut.fsm)

    embed = 3 + 2 * layers - 1
    bound = embed + 2
    left: dict[TokenState, Any] = {
        TokenState.ANSWER: 1,
        TokenState.DRAIN: 2,
        TokenState.LAYERS: 3 + 2 * (layers - 1 - dut.layer) + dut.next_layer,
        TokenState.EMBED: embed,
        TokenState.FETCH_LAYERS: embed + 1,
        TokenState.FETCH_EMBEDDING: bound,
    }
    measure = Signal(range(bound + 1))
    # Layers use the same port when they are done, so only the first after the start counts.
    embed_done = Signal()
    embeds = Signal()
    glue = Module()
    glue.d.comb += embed_done.eq(embeds & dut.projection_done)
    glue.d.sync += embeds.eq(dut.embed_start | (embeds & ~dut.projection_done))
    for name, cycles in left.items():
        with glue.If(state[name]):
            glue.d.comb += measure.eq(cycles)

    def invariants(pending: Sequence[Value]) -> Mapping[str, Value]:
        embedding, layer, classifier = pending
        before_layers, in_layers = _before_layers(state), state[TokenState.LAYERS]
        return {
            "state_exists": state_exists(dut.fsm),
            "embeds": (embedding == embeds)
            & implies(embedding, before_layers)
            & implies(before_layers, embedding == ~dut.embedded),
            "layer_runs": implies(layer, in_layers)
            & implies(in_layers, layer == ~dut.next_layer)
            & implies(dut.next_layer, in_layers),
            "classifies": classifier == (state[TokenState.DRAIN] & sample),
            "layer_in_range": (dut.layer < layers) & implies(before_layers, dut.layer == 0),
        }

    return Device(
        dut=dut,
        inside=inside,
        glue=glue,
        own=Handshake(
            "own", dut.i_token.valid & dut.i_token.ready, dut.o_token.valid & dut.o_token.ready
        ),
        children=(
            Handshake("embedding", dut.embed_start, embed_done),
            Handshake("layer", dut.layer_start, dut.layer_done),
            Handshake("classifier", dut.classify_start, dut.classified),
        ),
        stalls={"norm": state[TokenState.DRAIN] & ~sample & ~dut.normed},
        measure=measure,
        bound=bound,
        active=dut.busy,
        invariants=invariants,
    )


def _before_layers(state: Mapping[str, Value]) -> Value:
    """The first layer has not started."""
    fetches = state[TokenState.FETCH_EMBEDDING] | state[TokenState.FETCH_LAYERS]
    return fetches | state[TokenState.EMBED]


def order(config: Config) -> Model:
    """The states are what the theorem knows of the token."""
    dut = TokenSequencer(config)
    inside = Fragment.get(dut, None)  # its FSM is made there
    shape, state = config.shape, states(dut.fsm)

    def invariants(theorem: TokenOrder) -> Mapping[str, Value]:
        before_layers = _before_layers(state)
        all_started = theorem.layers == shape.layers
        fetched = Mux(
            state[TokenState.FETCH_EMBEDDING], 0, Mux(state[TokenState.FETCH_LAYERS], 1, 2)
        )
        return {
            "state_exists": state_exists(dut.fsm),
            "idle": theorem.pending == ~state[IDLE],
            "token": implies(theorem.pending, dut.token.as_value() == theorem.token.as_value()),
            "fetched": implies(theorem.pending, theorem.fetched == fetched),
            "before_layers": implies(
                before_layers,
                (theorem.layers == 0)
                & ~theorem.layer_runs
                & (dut.layer == 0)
                & (theorem.embedded == dut.embedded),
            ),
            "layers": implies(
                state[TokenState.LAYERS],
                theorem.embedded
                & (dut.layer < shape.layers)
                & (theorem.layer_runs == ~dut.next_layer)
                & (theorem.layers == dut.layer + theorem.layer_runs),
            ),
            "after_layers": (
                theorem.after_layers == (state[TokenState.DRAIN] | state[TokenState.ANSWER])
            )
            & implies(theorem.after_layers, all_started & ~theorem.layer_runs),
            "text": (theorem.ended == dut.ended)
            & implies(state[IDLE] & ~theorem.ended, dut.pos < shape.seq_len - 1),
        }

    return Model(dut, TokenOrder(config, dut, invariants), inside=inside)
