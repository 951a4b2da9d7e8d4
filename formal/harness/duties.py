"""The whole decoder with the theorems about its units turned around, beside the units."""

from collections.abc import Mapping
from typing import Any

from amaranth import *

from design.beat import Kind
from formal.harness.composition import model
from formal.harness.pairs import rope_theorem, silu_theorem
from formal.harness.square_sum import square_sum_theorem
from formal.model import Model
from properties.accumulator import AccumulatesExactly
from properties.activations import ReadWhileItFills
from properties.argmax import FirstOfTheGreatest, LogitRoom
from properties.biases import BiasesKept
from properties.composition import Parts
from properties.dialect import OneOf, Theorem
from properties.done_pulse import DonePulse, Handshake, Setting
from properties.drain import DrainOrder
from properties.duties import DutiesKept
from properties.kv_element import Tensor
from properties.kv_group import KvGroup
from properties.layer_order import LayerOrder
from properties.operands_written import OperandsWritten
from properties.positions import ScorePositions, ValuePositions
from properties.queries import QueriesKept
from properties.scheduled_beats import ScheduledBeats
from properties.score_pass import SumIncludesTheMaximum
from properties.scores import ScoresKept
from properties.streams import taken
from properties.token_order import TokenOrder
from spec.config import CacheBacking, Config
from spec.derived import derive
from spec.layer_plan import layer_plan
from spec.schedule import Op, matrix

#: Where loops run any number of times, nobody knows the row of a logit or the position of a text.
_COUNTED = {
    "drain": ("row_of_a_pass",),
    "argmax": ("rows_in_order",),
    "projection": ("start_when_idle",),
    "rope": ("position_exists",),
    "softmax": ("begins", "no_more_terms"),
    "score_pass": (
        "scores_in_order",
        "score_exists",
        "adds_what_is_out",
        "adds_in_turn",
        "summed_first",
    ),
}
#: Data, which explicit-state model checking abstracts: others pay for these.
_DATA = ("best_stays", "term_in_bound", "maximum_weighs_most")


def _none(_: Any) -> Mapping[str, Value]:
    return {}


def _handshakes(parts: Parts, glue: Module) -> dict[str, Theorem]:
    """Of stages and sequencers: started when idle, answered by whom they started."""
    tokens, layers, stages = parts.tokens, parts.layers, parts.stages
    settings = {
        name: Setting(own=Handshake("own", stage.start, stage.done))
        for name, stage in stages.items()
    }
    settings["layer"] = Setting(
        own=Handshake("own", layers.start, layers.done),
        children=[
            Handshake(name, getattr(layers, f"{name}_start"), getattr(layers, f"{name}_done"))
            for name in stages
        ],
        starts_apart=True,
    )
    # The projection stage answers layers, too: the first after the start is the embedding's.
    embeds, embedded = Signal(), Signal()
    glue.d.comb += embedded.eq(embeds & tokens.projection_done)
    glue.d.sync += embeds.eq(tokens.embed_start | (embeds & ~tokens.projection_done))
    settings["token"] = Setting(
        own=Handshake("own", taken(tokens.i_token), taken(tokens.o_token)),
        children=[
            Handshake("embedding", tokens.embed_start, embedded),
            Handshake("layer", tokens.layer_start, tokens.layer_done),
            Handshake("classifier", tokens.classify_start, tokens.classified),
        ],
    )
    return {f"{name}_pulse": DonePulse(setting) for name, setting in settings.items()}


def _theorems(config: Config, parts: Parts, glue: Module) -> dict[str, Theorem]:
    """By the names that their duties begin with, the theorems about units in the decoder."""
    shape, units, inner = config.shape, parts.units, parts.inner
    found: dict[str, Theorem] = {
        **_handshakes(parts, glue),
        "drain": DrainOrder(config, inner["drain"], _none),
        "argmax_room": LogitRoom(
            units["argmax"], level=C(0), depth=0, delay=units["argmax"].on_their_way
        ),
        "argmax": FirstOfTheGreatest(
            units["argmax"], vocab=shape.vocab, greatest=units["argmax"].greatest
        ),
        "queries": QueriesKept(
            inner["queries"], [inner["queries"].rd_data[0]] * derive(config).slots
        ),
        "rope": rope_theorem(config, units["rope"]),
        "swiglu": silu_theorem(config, units["swiglu"]),
        "layer": LayerOrder(parts.layers, layer_plan(config), _none),
        "token": TokenOrder(config, parts.tokens, _none),
        "projection": ScheduledBeats(config, parts.stages["projection"], _none),
        "score": ScorePositions(config, parts.stages["score"], _none),
        "value": ValuePositions(config, parts.stages["value"], _none),
    }
    for name in ("x", "attention", "hidden"):
        found[name] = ReadWhileItFills(units[name], written=units[name].written)
    if shape.qkv_bias:
        found["biases"] = BiasesKept(inner["biases"], rows=matrix(config, Op.BIAS).rows)
    softmax = inner["softmax"]
    found["softmax"] = AccumulatesExactly(
        adds=softmax.adds.valid,
        first=softmax.adds.p.first,
        term=softmax.weights[0],
        total=softmax.totals.sums[0],
        terms=shape.seq_len,
        low=0,
        high=config.numerics.weight.max,
    )
    found["square_sum"] = square_sum_theorem(config, inner["residual"])
    found["scores"] = ScoresKept(
        softmax,
        chosen=OneOf(derive(config).slots, "slot"),
        seq_len=shape.seq_len,
        written=C(0),
        written_t=softmax.scores.p.t,
        shown=C(0, signed(config.numerics.score.width)),
    )
    found["score_pass"] = SumIncludesTheMaximum(
        softmax,
        slots=derive(config).slots,
        seq_len=shape.seq_len,
        stores=softmax.stored,
        stores_t=softmax.stored_t,
        empty=softmax.empty,
        enters=parts.issue.claims.valid & (parts.issue.waiting.kind == Kind.VALUE),
        greatest=config.numerics.weight.max,
    )
    if config.geometry.cache is CacheBacking.ON_CHIP:
        found["cache"] = KvGroup(
            config, parts.cache, parts.caches, Tensor.KEY, layers=[C(0), C(0)], blocks=[C(0), C(0)]
        )
    return found


def duties_kept(config: Config, **changes: Any) -> Model:
    """The units and what is supposed of their surroundings."""

    def theorem_of(config: Config, parts: Parts, glue: Module) -> DutiesKept:
        theorems = _theorems(config, parts, glue)
        uncounted = _COUNTED if parts.counters else {}
        duties = {
            name: theorem.duties(name, without=(*uncounted.get(name, ()), *_DATA))
            for name, theorem in theorems.items()
        }
        drain, array = parts.inner["drain"], parts.inner["array"]
        used = {
            "capture": drain.i.valid & drain.i.ready,
            "classified": parts.units["argmax"].done,
            "query": parts.inner["queries"].rd_en & (parts.issue.fetch.p.kind == Kind.KEY),
            "folded" if derive(config).slots > 1 else "column": parts.units["x"].fetch,
        }
        return DutiesKept(
            config,
            parts,
            duties=duties,
            used=used,
            product=(array.take_product, array.beats.steps[-1]),
            running=parts.inner["reciprocals"].running,
        )

    return model(config, theorem_of, changes)


def operands_written(config: Config, **changes: Any) -> Model:
    """Shows the theorem the beats inside `Issue`, and where `Reciprocals` is."""

    def theorem_of(config: Config, parts: Parts, _: Module) -> OperandsWritten:
        issue, reciprocals = parts.issue, parts.inner["reciprocals"]
        return OperandsWritten(
            config,
            parts,
            read_valid=issue.beats.valid[0],
            waiting=issue.waiting,
            running=reciprocals.running,
            slot=reciprocals.slot,
        )

    return model(config, theorem_of, changes)
