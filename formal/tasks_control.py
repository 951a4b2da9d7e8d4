"""The proof tasks of whatever says what happens when: stages and sequencers."""

from typing import Any

from formal.canary import Canary
from formal.harness import loops, stages, token
from formal.task import SHIPPED, Domain, Task
from properties.dialect import Theorem
from properties.done_pulse import DonePulse, DonePulseFair, DonePulseRanking
from properties.layer_order import LayerOrder
from properties.loops import RowsLeftCovered
from properties.positions import ScorePositions, ValuePositions
from properties.scheduled_beats import ScheduledBeats
from properties.start_ignored import StartIgnored
from properties.token_order import TokenOrder

TIED = ("done, once up, stays up", "self.done.eq(0)", "self.done.eq(self.done)")
TOLD_TWICE = (
    "the layer says that it is done before its last stage, too",
    'start(self.projection_start, "S5 down", Sink.W2)',
    """m.d.comb += self.done.eq(1)
                    start(self.projection_start, "S5 down", Sink.W2)""",
)
LOST = ("the last done is lost", "self.done.eq(1)", "self.done.eq(0)")
AGAIN = (
    "an answer is given again and again",
    """ended.eq(answer.end)
                    m.next = "Idle\"""",
    "ended.eq(answer.end)",
)
UNANSWERED = ("there is no answer", "self.o_token.valid.eq(1)", "self.o_token.valid.eq(0)")

HEADER_EACH_PASS = Canary(
    "a header comes before every pass",
    "design.stages.projection",
    "shift_index == derive(config).header_passes - 1",
    "shift_index == 0",
)
UNFOLDED = Canary(
    "the folded pass has every column",
    "design.stages.projection",
    "Mux(beat.folded, last_column >> 1, last_column)",
    "last_column",
)
ONE_BLOCK = Canary(
    "the output projection starts with a block too many or too few",
    "design.sequencer",
    "with m.If(block == last_block):",
    "with m.If(block != last_block):",
)
OLD_LAYER = Canary(
    "a layer starts in the cycle in which its number is not told yet",
    "design.sequencer",
    "m.d.comb += self.layer_start.eq(next_layer)",
    "m.d.comb += self.layer_start.eq(self.layer_done & (self.layer != shape.layers - 1))",
)
RESTARTED = (
    "a start while it works is heard, too",
    "m.d.comb += self.o.valid.eq(1)",
    """m.d.comb += self.o.valid.eq(1)
                m.d.sync += pos.eq(Mux(self.start, self.pos, pos))""",
)
HEADER_ON_START = (
    "a start while it works is heard, too",
    "beat.last.eq(column == Mux(",
    "beat.last.eq(self.start | column == Mux(",
)
LAYER_RESTARTED = (
    "a start while it works is heard, too",
    """with m.State("S1"):
                with m.If(self.projection_done):""",
    """with m.State("S1"):
                with m.If(self.projection_done | self.start):""",
)
TWICE_COUNTED = Canary(
    "a pass is counted twice",
    "design.stages.projection",
    "rows_left.eq(rows_left - count)",
    "rows_left.eq(rows_left - (count << 1))",
)
ABOVE = Canary(
    "a value pass reads one position too many",
    "design.stages.value",
    "beat.last.eq(t == pos)",
    "beat.last.eq(t == pos + 1)",
)
NEVER_NEWEST = Canary(
    "a score pass goes on behind the newest word, to the one after",
    "design.stages.score",
    "newest.eq((t >> word_bits) == (pos >> word_bits))",
    "newest.eq((t >> word_bits) > (pos >> word_bits))",
)


def _handshake(
    device: str,
    module: str,
    claims: int,
    *,
    children: int = 0,
    suffix: str = "",
    tied: tuple[str, str, str] = TIED,
    lost: tuple[str, str, str] = LOST,
    configs: tuple[str, ...] = SHIPPED,
    fair: tuple[str, ...] = ("nano",),
    **lanes: int,
) -> tuple[Task, ...]:
    """The three theorems on the start and done of `device`; `claims` of them on its inside."""
    arguments = {"device": device, **lanes}
    unanswered = Canary(lost[0], module, *lost[1:])

    def always(suffix: str, engine: str, configs: tuple[str, ...]) -> Task:
        return Task(
            id=f"done.fair.{device}{suffix}",
            family="control",
            theorem=DonePulseFair,
            harness=stages.done_fair,
            arguments=arguments,
            configs=configs,
            obligations=1,
            canary=unanswered,
            engine=engine,
        )

    # Without a ranking PDR counts through every counter; a search of all states visits each value.
    too_large_for_pdr = tuple(config for config in configs if config not in fair)
    return (
        Task(
            id=f"done.pulse.{device}{suffix}",
            family="control",
            theorem=DonePulse,
            harness=stages.done_pulse,
            arguments=arguments,
            search={"bare": True},
            configs=configs,
            obligations=2 + children + claims,
            canary=Canary(tied[0], module, *tied[1:]),
            cover_depth=60,
            canary_depth=60,
        ),
        Task(
            id=f"done.ranking.{device}{suffix}",
            family="control",
            theorem=DonePulseRanking,
            harness=stages.done_ranking,
            arguments=arguments,
            search={"bare": True},
            configs=configs,
            obligations=4 + claims,
            canary=unanswered,
            canary_depth=60,
        ),
        always(suffix, "l2s", fair),
        *([always(f"{suffix}_states", "explore", too_large_for_pdr)] if too_large_for_pdr else []),
    )


def _start_ignored(device: str, module: str, heard: tuple[str, str, str]) -> Task:
    return Task(
        id=f"control.start_ignored.{device}",
        family="control",
        theorem=StartIgnored,
        harness=stages.start_ignored,
        arguments={"device": device},
        search={"bare": True},
        obligations=2,
        canary=Canary(heard[0], module, *heard[1:]),
    )


def _schedule(suffix: str, canary: Canary, **changes: Any) -> Task:
    return Task(
        id=f"schedule.projection{suffix}",
        family="schedule",
        theorem=ScheduledBeats,
        harness=stages.scheduled_beats,
        obligations=14,
        canary=canary,
        # Yices takes nine times as long on the counters of the largest shapes, five on their gates.
        engine="bitwuzla",
        confirm="yices-gates",
        # Witnesses lie whole passes from reset.
        search_by="explore",
        **changes,
    )


def _positions(stage: str, theorem: type[Theorem], claims: int, canary: Canary) -> Task:
    return Task(
        id=f"schedule.positions.{stage}",
        family="schedule",
        theorem=theorem,
        harness=loops.positions,
        arguments={"stage": stage},
        obligations=claims,
        canary=canary,
        cover_depth=40,
        canary_depth=40,
    )


def _order(suffix: str, **lanes: int) -> Task:
    return Task(
        id=f"schedule.layer{suffix}",
        family="schedule",
        theorem=LayerOrder,
        harness=stages.layer_order,
        arguments=lanes,
        obligations=6,
        canary=ONE_BLOCK,
        cover_depth=20,
    )


#: In a context of one token there is no position to claim anything of.
SEVERAL_POSITIONS = Domain(
    "every shape with a context of 2 or more, number of lanes, backing",
    lambda config: config.shape.seq_len > 1,
)
#: The order of the weights is proved up to the largest shape; `nox -s sweep` does the others.
SEVERAL_SHAPES = ("nano", "stories260k", "stories15m", "stories110m", "llama2_7b", "llama2_70b")
_PROJECTION = ("projection", "design.stages.projection", 6)
_LAYER = ("layer", "design.sequencer", 4)

CONTROL: tuple[Task, ...] = (
    *_handshake(*_PROJECTION),
    # On so many lanes the last pass is folded.
    *_handshake(*_PROJECTION, suffix="_folded", lanes=16),
    *_handshake("score", "design.stages.score", 4),
    *_handshake("value", "design.stages.value", 5),
    *_handshake(*_LAYER, children=3, tied=TOLD_TWICE, fair=SHIPPED),
    # On so few, several blocks of heads take turns.
    *_handshake(*_LAYER, children=3, suffix="_blocks", tied=TOLD_TWICE, fair=SHIPPED, lanes=2),
    *_handshake(
        "token", "design.sequencer", 6, children=3, tied=AGAIN, lost=UNANSWERED, fair=SHIPPED
    ),
    _start_ignored("projection", "design.stages.projection", HEADER_ON_START),
    _start_ignored("score", "design.stages.score", RESTARTED),
    _start_ignored("value", "design.stages.value", RESTARTED),
    _start_ignored("layer", "design.sequencer", LAYER_RESTARTED),
    _schedule("", HEADER_EACH_PASS, configs=SEVERAL_SHAPES),
    _schedule("_folded", UNFOLDED, configs=("nano",), arguments={"lanes": 16}),
    # Only as wide does stories260k fold a pass.
    _schedule("_folded_wide", UNFOLDED, configs=("stories260k",), arguments={"lanes": 64}),
    Task(
        id="schedule.rows_left",
        family="schedule",
        theorem=RowsLeftCovered,
        harness=loops.rows_left,
        obligations=6,
        canary=TWICE_COUNTED,
        # Witnesses lie whole passes from reset.
        search_by="explore",
    ),
    _positions("score", ScorePositions, 10, NEVER_NEWEST),
    _positions("value", ValuePositions, 12, ABOVE),
    _order(""),
    _order("_blocks", lanes=2),
    Task(
        id="schedule.token",
        domain=SEVERAL_POSITIONS,
        family="schedule",
        theorem=TokenOrder,
        harness=token.order,
        obligations=20,
        canary=OLD_LAYER,
        cover_depth=60,
        canary_depth=60,
    ),
)
