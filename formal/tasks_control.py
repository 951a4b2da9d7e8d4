"""The proof tasks of whatever says what happens when: stages and sequencers."""

from formal.canary import Canary
from formal.harness import loops, stages, token
from formal.task import Domain, Task
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

ALWAYS_FIRST = Canary(
    "every column begins a sum",
    "design.stages.projection",
    "beat.first.eq(column == 0)",
    "beat.first.eq(1)",
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
ROW_TOO_FEW = Canary(
    "a projection begins with a row too few",
    "design.stages.projection",
    "rows_left.eq(spec.rows)",
    "rows_left.eq(spec.rows - 1)",
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


#: A model that people have; what does not depend on sizes is proved of it, too.
LARGE = "smollm2_135m"
#: Witnesses and bugs lie further from reset there than a solver gets.
VISITED = {LARGE: {"search_by": "explore"}}


def _handshake(
    device: str,
    module: str,
    claims: int,
    *,
    children: int = 0,
    tied: tuple[str, str, str] = TIED,
    lost: tuple[str, str, str] = LOST,
    too_large_for_pdr: tuple[str, ...] = (),
    counted: bool = True,
) -> tuple[Task, ...]:
    """The three theorems on the start and done of `device`; `claims` of them on its inside.

    Without a ranking PDR counts through every counter. Where that takes too long, every state is
    visited, of which there is one for each value of a counter; if `counted`, of `LARGE`, too.
    """
    arguments = {"device": device}
    unanswered = Canary(lost[0], module, *lost[1:])
    return (
        Task(
            id=f"done.pulse.{device}",
            family="control",
            theorem=DonePulse,
            harness=stages.done_pulse,
            arguments=arguments,
            search={"bare": True},
            obligations=2 + children + claims,
            canary=Canary(tied[0], module, *tied[1:]),
            cover_depth=60,
            canary_depth=60,
            sizes=(LARGE,),
            at=VISITED,
        ),
        Task(
            id=f"done.ranking.{device}",
            family="control",
            theorem=DonePulseRanking,
            harness=stages.done_ranking,
            arguments=arguments,
            search={"bare": True},
            obligations=4 + claims,
            canary=unanswered,
            canary_depth=60,
            sizes=(LARGE,),
            at=VISITED,
        ),
        Task(
            id=f"done.fair.{device}",
            family="control",
            theorem=DonePulseFair,
            harness=stages.done_fair,
            arguments=arguments,
            obligations=1,
            canary=unanswered,
            engine="l2s",
            sizes=(LARGE,) if counted else (),
            at={name: {"engine": "explore"} for name in too_large_for_pdr},
        ),
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
        sizes=(LARGE,),
    )


def _positions(stage: str, theorem: type[Theorem], claims: int, canary: Canary) -> Task:
    return Task(
        id=f"schedule.positions.{stage}",
        family="schedule",
        domain=SEVERAL_POSITIONS,
        theorem=theorem,
        harness=loops.positions,
        arguments={"stage": stage},
        obligations=claims,
        canary=canary,
        cover_depth=40,
        canary_depth=40,
        sizes=(LARGE,),
        at=VISITED,
    )


#: In a context of one token there is no position to claim anything of.
SEVERAL_POSITIONS = Domain(
    "every shape with a context of 2 or more, number of lanes, backing",
    lambda config: config.shape.seq_len > 1,
)
#: Here stages count further than PDR gets within minutes.
_LONG = ("stories260k", "stories260k@64", LARGE)
_PROJECTION = ("projection", "design.stages.projection", 6)

CONTROL: tuple[Task, ...] = (
    *_handshake(*_PROJECTION, too_large_for_pdr=(*_LONG, "nano@1")),
    *_handshake("score", "design.stages.score", 4, too_large_for_pdr=_LONG),
    # At smollm2_135m, with its two counters, over 8 minutes of a core.
    *_handshake("value", "design.stages.value", 5, too_large_for_pdr=_LONG, counted=False),
    *_handshake("layer", "design.sequencer", 4, children=3, tied=TOLD_TWICE),
    *_handshake("token", "design.sequencer", 6, children=3, tied=AGAIN, lost=UNANSWERED),
    _start_ignored("projection", "design.stages.projection", HEADER_ON_START),
    _start_ignored("score", "design.stages.score", RESTARTED),
    _start_ignored("value", "design.stages.value", RESTARTED),
    _start_ignored("layer", "design.sequencer", LAYER_RESTARTED),
    Task(
        id="schedule.projection",
        family="schedule",
        theorem=ScheduledBeats,
        harness=stages.scheduled_beats,
        # The order of the weights, up to the largest shape.
        sizes=("stories15m", "stories110m", LARGE, "llama2_7b", "llama2_70b"),
        obligations=14,
        canary=ALWAYS_FIRST,
        # Yices takes nine times as long on the counters of the largest shapes, five on their gates.
        engine="bitwuzla",
        confirm="yices-gates",
        # Witnesses lie whole passes from reset.
        search_by="explore",
    ),
    Task(
        id="schedule.rows_left",
        family="schedule",
        theorem=RowsLeftCovered,
        harness=loops.rows_left,
        obligations=6,
        canary=ROW_TOO_FEW,
        # Witnesses lie whole passes from reset.
        search_by="explore",
        sizes=(LARGE,),
    ),
    _positions("score", ScorePositions, 10, NEVER_NEWEST),
    _positions("value", ValuePositions, 12, ABOVE),
    Task(
        id="schedule.layer",
        family="schedule",
        theorem=LayerOrder,
        harness=stages.layer_order,
        obligations=6,
        canary=ONE_BLOCK,
        cover_depth=20,
        sizes=(LARGE,),
        at=VISITED,
    ),
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
        sizes=(LARGE,),
        # A token of 30 layers takes so long.
        at={LARGE: {"cover_depth": 150}},
    ),
)
