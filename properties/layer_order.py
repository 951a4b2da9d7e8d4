"""The stages of a layer, one after the other."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *

from design.beat import to_sink
from properties.dialect import Theorem, implies
from spec.layer_plan import LayerPlan
from spec.schedule import Op


class LayerOrder(Theorem):
    """A layer runs the stages of its plan (QKV, behind its biases where there are any, then scores
    and values of each block of heads, then Wo, W13 and W2), each from the cycle in which the one
    before is done.

    `sequencer` has the signature of `design.sequencer.LayerSequencer`. `invariants` gives, from
    the number of the stage that runs (0: none), statements about its inside: claimed, not
    believed. Obligations: 4, and one for each of these.
    """

    def __init__(
        self, sequencer: Any, plan: LayerPlan, invariants: Callable[[Value], Mapping[str, Value]]
    ):
        self.sequencer = sequencer
        self.plan = plan
        self.invariants = invariants

    def describe(self, m: Module) -> None:
        layer, plan = self.sequencer, self.plan
        qkv = len(plan.before)
        last_value, stages = qkv + 2 * plan.blocks, len(plan.stages)

        def kind(number: Value) -> Value:
            """Flags of stage `number`: a projection, scores, values."""
            attention = (number > qkv) & (number <= last_value)
            is_value = (number - qkv)[0] == 0
            return Cat((number != 0) & ~attention, attention & ~is_value, attention & is_value)

        # Of the stages 1 to `stages`: which runs, and which will have run or started by the end
        # of this cycle.
        running = Signal(range(stages + 1))
        number = Signal.like(running)
        started = Cat(layer.projection_start, layer.score_start, layer.value_start)
        done = Cat(layer.projection_done, layer.score_done, layer.value_done)
        starts = Mux(running == 0, layer.start, done.any() & (running != stages))
        ends = done.any() & (running == stages)
        m.d.comb += number.eq(running + starts)
        m.d.sync += running.eq(Mux(ends, 0, number))

        self.suppose(
            "start_when_idle", ~(layer.start & (running != 0)), "A layer is started when none runs."
        )
        self.suppose(
            "who_runs_answers",
            (running == 0) | (done & ~kind(running) == 0),
            "While a layer runs, only the stage that runs says that it is done. (The "
            "projection stage also serves the embedding and the classifier.)",
        )

        due = Mux(starts, kind(number), 0)
        self.claim(
            "next_stage_starts",
            started == due,
            "The next stage starts, in the very cycle, and no other ever.",
        )
        ops = {n: each.work for n, each in enumerate(plan.stages, 1) if isinstance(each.work, Op)}
        named = Cat(
            (number == n) & (layer.projection_op == to_sink(op)) for n, op in ops.items()
        ).any()
        if Op.BIAS in plan.before:
            named = named & (layer.projection_bias == (number == 1))
        self.claim("projection_named", implies(due[0], named), "A projection is given its name.")
        counted = layer.block == (number - (qkv + 1)) >> 1
        self.claim(
            "block_counted",
            implies(kind(number)[1:].any(), counted),
            "The blocks of heads are counted through, and stay while they are served.",
        )
        self.claim(
            "done_with_the_last", layer.done == ends, "The layer is done with its last stage."
        )
        self.claim_inside(self.invariants(running))

        self.witness("done", layer.done)
