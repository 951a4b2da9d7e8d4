"""The cycles of a token in closed form: what array, drain and latencies add up to.

Two resources set the pace. The *array* takes a beat a cycle. The *drain* lets a result out a
cycle, or one in `turn` cycles where a single scalar multiplier serves all. For a stage of `beats`
and `results` that starts at `start`, while the drain is busy until `drained` with the stage before,
they are over at

    drain = max(start + beats + last, max(start + first, drained) + results)
    array = max(start + beats, drained + beats - 2 * first, drain - 2 * most)

with `first` the beats of its first pass, `last` the results of its last and `most` those of a whole
one. (Two finished passes can wait for the drain: one in the pass buffer, one in the accumulators.
The array is never further ahead.) The stage behind starts at

    max(array + handover, drain + latency - hidden)

where `latency` is how long a result takes to where it is read, and `hidden` how long the stage
behind works before it reads the last one. (Where there are biases, the stage that reads the
residual is the one behind them: they start at once.) A token is over `ends` cycles after its last
result.

Beats and results are counted, from `spec.schedule` and `spec.derived`. The latencies depend on
how deeply the units are pipelined; :mod:`benchmarks.growth.fit` finds them in measured tokens.
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
    """Cycles from a sum that leaves the drain to the beat that reads what became of it."""

    residual: int
    """Wo, W2, embedding -> the matrix behind: rounded, added."""
    rope: int
    """QKV -> scores: rounded, scaled, turned."""
    softmax: int
    """Scores -> weights: the maximum is final."""
    reciprocal: int
    """Last softmax weight -> first value sum leaves the drain: the reciprocal of their sum."""
    attention: int
    """Value sums -> Wo: rounded, scaled."""
    swiglu: int
    """W1 and W3 -> W2: rounded, scaled, activated."""
    ends: int
    """Taking the token, and from the last logit to the answer."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One walk of the array; all in cycles (see the module) but `bits`, what it reads of memory.

    `name` is that of the projection (`Op`), or SCORE, or VALUE.
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
        """The same from a memory that gives so many bits a cycle, and no beat before its bits."""
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
    return spec.cols if spec.whole_passes else 1  # a folded pass begins with all elements there


def _behind(config: Config, rows: int) -> int:
    """Cycles for which QKV goes on behind the results that have `rows` rows behind them.

    Those rows leave the drain; and where they fill passes, the array multiplies these.
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
        # The scores of the next block wait for no value.
        latency=latencies.attention if last else 0,
        hidden=_follows(config, Op.WO) if last else results + lanes,
    )


def _layer(config: Config, pos: int, latencies: Latencies) -> Iterator[Stage]:
    """The stages of a layer but its last, W2."""
    shape, derived, plan = config.shape, derive(config), layer_plan(config)
    # A word feeds all slots of its head, so a block reads each of its KV heads once.
    heads = max(1, min(derived.slots, shape.heads) // shape.group)
    bits = heads * shape.head_dim * (pos + 1) * derived.kv_width
    # Scores wait for all queries; the newest of them for its key.
    newest = pos // derived.k_word * shape.head_dim
    queries, keys = _behind(config, 2 * shape.kv_dim), _behind(config, shape.kv_dim) + newest
    waits = {  # latency and what hides of it
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
    """What a sampled token at position `pos` does, in order."""
    yield _projection(config, Op.EMBED, latencies.residual, _follows(config, Op.QKV))
    layer = tuple(_layer(config, pos, latencies))
    down = _projection(config, Op.W2, latencies.residual, _follows(config, Op.QKV))
    # A layer but the first begins a cycle later, when its number is there.
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
        if stage.name != Op.BIAS.name:  # biases wait for nothing, and nobody for them
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
