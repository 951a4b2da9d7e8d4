"""The cycles of a token in closed form, from array, drain and latencies.

Two resources limit the rate. The *array* takes a beat per cycle. The *drain* emits a result per
cycle, or one in `turn` cycles (the initiation interval) with a single scalar multiplier. For a
stage of `beats` and `results` that starts at `start`, while the drain is busy until `drained` with
the previous stage, they end at

    drain = max(start + beats + last, max(start + first, drained) + results)
    array = max(start + beats, drained + beats - 2 * first, drain - 2 * most)

where `first` is the beats of its first pass, `last` the results of its last pass and `most` those
of a whole pass. (Two finished passes can wait for the drain, one in the pass buffer and one in the
accumulators; the array is never further ahead.) The next stage starts at

    max(array + handover, drain + latency - hidden)

where `latency` is the delay from a result to the point where it is read, and `hidden` the time that
the next stage runs before it reads the last result. (With biases, the stage that reads the residual
is the one after them; they start immediately.) A token ends `ends` cycles after its last result.

Beats and results are counted, from `spec.schedule` and `spec.derived`. The latencies depend on the
pipelines of the units; :mod:`benchmarks.growth.fit` fits them to measured tokens.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

from spec.config import Config
from spec.derived import derive
from spec.layer_plan import Attend, layer_plan
from spec.schedule import Op, matrix


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Cycles from a sum that leaves the drain to the beat that reads its result."""

    residual: int
    """Wo, W2, embedding -> the next matrix: rounded, added."""
    rope: int
    """QKV -> scores: rounded, scaled, rotated."""
    softmax: int
    """Scores -> weights: the maximum is final."""
    reciprocal: int
    """Last softmax weight -> first value sum leaves the drain: the reciprocal of their sum."""
    attention: int
    """Value sums -> Wo: rounded, scaled."""
    swiglu: int
    """W1 and W3 -> W2: rounded, scaled, activated."""
    ends: int
    """Accepting the token, and from the last logit to the answer."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage; all in cycles (see the module), except `bits`, which it reads from memory.

    `name` is that of the projection (`Op`), SCORE or VALUE.
    """

    name: str
    beats: int
    first: int
    results: int
    last: int
    most: int
    bits: int
    latency: int = 0
    hidden: int = 0
    handover: int = 1

    def paced(self, bits_per_cycle: float) -> "Stage":
        """The same stage with a memory of `bits_per_cycle`, which limits its beats."""
        beats = max(self.beats, math.ceil(self.bits / bits_per_cycle))
        first = math.ceil(self.first * beats / self.beats)
        return dataclasses.replace(self, beats=beats, first=first)


def _projection(config: Config, op: Op, latency: int, hidden: int) -> Stage:
    spec, lanes = matrix(config, op), config.geometry.lanes
    turn = derive(config).turn if op in (Op.QKV, Op.W13) else 1
    last = spec.folded_rows or spec.rows - (spec.whole_passes - 1) * lanes
    return Stage(
        name=op.name,
        beats=spec.beats,
        first=1 + (spec.cols if spec.whole_passes else spec.cols // 2),
        results=turn * spec.rows,
        last=turn * last,
        most=turn * min(lanes, spec.rows),
        bits=spec.beats * lanes * config.numerics.weight_bits,
        latency=latency,
        hidden=hidden,
    )


def _follows(config: Config, op: Op) -> int:
    """Beats of `op` before it reads the last element of its vector."""
    spec = matrix(config, op)
    return spec.cols if spec.whole_passes else 1  # a column-split pass waits for all elements


def _remaining(config: Config, rows: int) -> int:
    """Cycles of QKV after a result that is followed by `rows` rows.

    Those rows leave the drain; and if they fill passes, the array multiplies them.
    """
    spec, lanes = matrix(config, Op.QKV), config.geometry.lanes
    last = spec.folded_rows or spec.rows - (spec.whole_passes - 1) * lanes
    passes = 1 + (rows - last) // lanes if rows >= last else 0
    return max(derive(config).turn * rows, passes * spec.cols)


def _scores(config: Config, pos: int, latencies: Latencies, bits: int) -> Stage:
    derived, head_dim = derive(config), config.shape.head_dim
    return Stage(
        name="SCORE",
        beats=(pos // derived.k_word + 1) * head_dim,
        first=head_dim,
        results=pos + 1,
        last=pos % derived.k_word + 1,
        most=derived.k_word,
        bits=bits,
        latency=latencies.softmax,
    )


def _values(config: Config, pos: int, latencies: Latencies, bits: int, *, last: bool) -> Stage:
    derived, lanes = derive(config), config.geometry.lanes
    results = derived.v_words * lanes
    return Stage(
        name="VALUE",
        beats=derived.v_words * (pos + 1),
        first=pos + 1 + latencies.reciprocal,
        results=results,
        last=lanes,
        most=lanes,
        bits=bits,
        # The scores of the next block do not wait for values.
        latency=latencies.attention if last else 0,
        hidden=_follows(config, Op.WO) if last else results + lanes,
    )


def _layer(config: Config, pos: int, latencies: Latencies) -> Iterator[Stage]:
    """The stages of a layer except its last, W2."""
    shape, derived, plan = config.shape, derive(config), layer_plan(config)
    # A word feeds all slots of its head, so a block reads each of its KV heads once.
    heads = max(1, min(derived.slots, shape.heads) // shape.group)
    bits = heads * shape.head_dim * (pos + 1) * derived.kv_width
    # Scores wait for all queries, and the newest score for its key.
    newest = pos // derived.k_word * shape.head_dim
    queries, keys = _remaining(config, 2 * shape.kv_dim), _remaining(config, shape.kv_dim) + newest
    waits = {  # latency, and its hidden part
        Op.BIAS: (0, 0),
        Op.QKV: (latencies.rope, min(queries, keys)),
        Op.WO: (latencies.residual, _follows(config, Op.W13)),
        Op.W13: (latencies.swiglu, _follows(config, Op.W2)),
    }
    for stage in plan.stages[:-1]:
        if stage.work is Attend.SCORES:
            yield _scores(config, pos, latencies, bits)
        elif stage.work is Attend.VALUES:
            last = stage.block == plan.blocks - 1
            yield _values(config, pos, latencies, bits, last=last)
        else:
            yield _projection(config, stage.work, *waits[stage.work])


def stages(config: Config, pos: int, latencies: Latencies) -> Iterator[Stage]:
    """The stages of a sampled token at position `pos`, in order."""
    yield _projection(config, Op.EMBED, latencies.residual, _follows(config, Op.QKV))
    layer = tuple(_layer(config, pos, latencies))
    down = _projection(config, Op.W2, latencies.residual, _follows(config, Op.QKV))
    # Layers except the first begin a cycle later, when their number is known.
    yield from (*layer, dataclasses.replace(down, handover=2)) * (config.shape.layers - 1)
    yield from (*layer, dataclasses.replace(down, hidden=_follows(config, Op.CLS)))
    yield _projection(config, Op.CLS, 0, 0)


def token_cycles(
    config: Config, pos: int, latencies: Latencies, bits_per_cycle: float = math.inf
) -> int:
    """Cycles of a sampled token at position `pos`, from offering it to its answer.

    With `bits_per_cycle`, weights, keys and values come from one memory of that bandwidth.
    """
    start = drained = waits = 0
    for stage in stages(config, pos, latencies):
        stage = stage.paced(bits_per_cycle)
        if stage.name != Op.BIAS.name:  # biases depend on no stage, and no stage waits for them
            start, waits = max(start, waits), 0
        drain = max(
            start + stage.beats + stage.last, max(start + stage.first, drained) + stage.results
        )
        array = max(
            start + stage.beats, drained + stage.beats - 2 * stage.first, drain - 2 * stage.most
        )
        start = array + stage.handover
        if stage.name != Op.BIAS.name:
            waits = drain + stage.latency - stage.hidden
        drained = drain
    return drained + latencies.ends
