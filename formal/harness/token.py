"""The token sequencer, as a device whose start is a token taken and whose done is its answer."""

from collections.abc import Mapping, Sequence

from amaranth import *

from design.ports import token_in_layout
from design.sequencer import TokenSequencer
from formal.harness.stage import Device, look_inside, state_exists
from formal.model import Model
from properties.dialect import implies
from properties.done_pulse import Handshake
from properties.token_order import TokenOrder
from spec.config import Config


def device(config: Config) -> Device:
    """What is left are the states, of which a layer takes two: one it starts in, one it ends in."""
    dut = TokenSequencer(config)
    inside, hidden = look_inside(dut)
    fsm = inside.find_generated("fsm")
    layers = config.shape.layers
    sample = token_in_layout(config)(hidden["token"]).sample
    state = {name: fsm.state == code for name, code in fsm.encoding.items()}

    left = {"Answer": 1, "Drain": 2}
    left["Layers"] = 3 + 2 * (layers - 1 - dut.layer) + hidden["next_layer"]
    left["Embed"] = 3 + 2 * layers - 1
    left["Fetch layers"] = left["Embed"] + 1
    left["Fetch embedding"] = left["Fetch layers"] + 1
    measure = Signal(range(left["Fetch embedding"] + 1))
    # Layers tell the same port that they are done, so only the first after the start counts.
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
        before_layers = state["Fetch embedding"] | state["Fetch layers"] | state["Embed"]
        return {
            "state_exists": state_exists(inside),
            "embeds": (embedding == embeds)
            & implies(embedding, before_layers)
            & implies(before_layers, embedding == ~hidden["embedded"]),
            "layer_runs": implies(layer, state["Layers"])
            & implies(state["Layers"], layer == ~hidden["next_layer"])
            & implies(hidden["next_layer"], state["Layers"]),
            "classifies": classifier == (state["Drain"] & sample),
            "layer_in_range": (dut.layer < layers) & implies(before_layers, dut.layer == 0),
        }

    return Device(
        dut=dut,
        inside=inside,
        glue=glue,
        own=Handshake(
            "own",
            dut.i_token.valid & dut.i_token.ready,
            dut.o_token.valid & dut.o_token.ready,
        ),
        children=(
            Handshake("embedding", dut.embed_start, embed_done),
            Handshake("layer", dut.layer_start, dut.layer_done),
            Handshake("classifier", dut.classify_start, dut.classified),
        ),
        stalls={"norm": state["Drain"] & ~sample & ~dut.normed},
        measure=measure,
        bound=left["Fetch embedding"],
        active=dut.busy,
        invariants=invariants,
    )


def order(config: Config) -> Model:
    """The states are what the theorem knows of the token."""
    dut = TokenSequencer(config)
    inside, hidden = look_inside(dut)
    fsm = inside.find_generated("fsm")
    shape = config.shape
    state = {name: fsm.state == code for name, code in fsm.encoding.items()}

    def invariants(theorem: TokenOrder) -> Mapping[str, Value]:
        before_layers = state["Fetch embedding"] | state["Fetch layers"] | state["Embed"]
        all_started = theorem.layers == shape.layers
        return {
            "state_exists": state_exists(inside),
            "idle": theorem.pending == ~state["Idle"],
            "token": implies(theorem.pending, hidden["token"] == theorem.token.as_value()),
            "fetched": implies(
                theorem.pending,
                theorem.fetched
                == Mux(state["Fetch embedding"], 0, Mux(state["Fetch layers"], 1, 2)),
            ),
            "before_layers": implies(
                before_layers,
                (theorem.layers == 0)
                & ~theorem.layer_runs
                & (dut.layer == 0)
                & (theorem.embedded == hidden["embedded"]),
            ),
            "layers": implies(
                state["Layers"],
                theorem.embedded
                & (dut.layer < shape.layers)
                & (theorem.layer_runs == ~hidden["next_layer"])
                & (theorem.layers == dut.layer + theorem.layer_runs),
            ),
            "after_layers": (theorem.after_layers == (state["Drain"] | state["Answer"]))
            & implies(theorem.after_layers, all_started & ~theorem.layer_runs),
            "text": (theorem.ended == hidden["ended"])
            & implies(state["Idle"] & ~theorem.ended, dut.pos < shape.seq_len - 1),
        }

    return Model(dut, TokenOrder(config, dut, invariants), inside=inside)
