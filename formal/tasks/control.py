"""The proof tasks of whatever says what happens when: stages and sequencers."""

from formal.harness import loops, stages, token
from formal.tasks.task import Domain, Task
from properties.dialect import Theorem
from properties.done_pulse import DonePulse, DonePulseFair, DonePulseRanking
from properties.layer_order import LayerOrder
from properties.loops import RowsLeftCovered
from properties.positions import ScorePositions, ValuePositions
from properties.scheduled_beats import ScheduledBeats
from properties.start_ignored import StartIgnored
from properties.token_order import TokenOrder
from tools.planting import PlantedBug

#: Bugs of a device, whichever it is: name, node and replacement.
Bug = tuple[str, str, str]

TIED = ("done, once up, stays up", "self.done.eq(0)", "self.done.eq(self.done)")
TOLD_TWICE = (
    "the layer says that it is done before its last stage, too",
    "m.next = STATES[work]",
    "m.next = STATES[work]\nif work is Op.W2: m.d.comb += self.done.eq(1)",
)
LOST = ("the last done is lost", "self.done.eq(1)", "self.done.eq(0)")
AGAIN = (
    "an answer is given again and again",
    "with m.If(self.o_token.ready): ...",
    "with m.If(self.o_token.ready): m.d.sync += ended.eq(answer.end)",
)
UNANSWERED = ("there is no answer", "self.o_token.valid.eq(1)", "self.o_token.valid.eq(0)")

ALWAYS_FIRST = PlantedBug(
    "every column begins a sum",
    "design.stages.projection",
    "ProjectionStage.elaborate",
    "column == 0",
    "1",
)
ONE_BLOCK = PlantedBug(
    "the output projection starts with a block too many or too few",
    "design.sequencer",
    "LayerSequencer.elaborate",
    "block == plan.blocks - 1",
    "block != plan.blocks - 1",
)
OLD_LAYER = PlantedBug(
    "a layer starts in the cycle in which its number is not told yet",
    "design.sequencer",
    "TokenSequencer.elaborate",
    "self.layer_start.eq(next_layer)",
    "self.layer_start.eq(self.layer_done & (self.layer != shape.layers - 1))",
)
RESTARTED = (
    "a start while it works is heard, too",
    "m.d.comb += self.o.valid.eq(1)",
    "m.d.comb += self.o.valid.eq(1)\nm.d.sync += pos.eq(Mux(self.start, self.pos, pos))",
)
HEADER_ON_START = (
    "a start while it works is heard, too",
    "column == Mux(beat.folded, last_column >> 1, last_column)",
    "self.start | column == Mux(beat.folded, last_column >> 1, last_column)",
)
LAYER_RESTARTED = (
    "a start while it works is heard, too",
    "self._done(work)",
    "self._done(work) | (self.start if work is Op.QKV else 0)",
)
ROW_TOO_FEW = PlantedBug(
    "a projection begins with a row too few",
    "design.stages.projection",
    "ProjectionStage.elaborate.begin",
    "spec.rows",
    "spec.rows - 1",
)
ABOVE = PlantedBug(
    "a value pass reads one position too many",
    "design.stages.value",
    "ValueStage.elaborate",
    "beat.last.eq(t == pos)",
    "beat.last.eq(t == pos + 1)",
)
NEVER_NEWEST = PlantedBug(
    "a score pass goes on behind the newest word, to the one after",
    "design.stages.score",
    "ScoreStage.elaborate",
    "(t >> word_bits) == (pos >> word_bits)",
    "(t >> word_bits) > (pos >> word_bits)",
)


#: A model that people have; what does not depend on sizes is proved of it, too.
LARGE = "smollm2_135m"
#: Witnesses and bugs lie further from reset there than a solver gets.
VISITED = {LARGE: {"search_by": "explore"}}


def _bug(place: tuple[str, str], bug: Bug) -> PlantedBug:
    module, component = place
    name, node, replacement = bug
    return PlantedBug(name, module, f"{component}.elaborate", node, replacement)


def _handshake(
    device: str,
    place: tuple[str, str],
    claims: int,
    *,
    children: int = 0,
    tied: Bug = TIED,
    lost: Bug = LOST,
    too_large_for_pdr: tuple[str, ...] = (),
    counted: bool = True,
) -> tuple[Task, ...]:
    """The three theorems on the start and done of `device`, whose module and class are its `place`;
    `claims` of them on its inside.

    Without a ranking PDR counts through every counter. Where that takes too long, every state is
    visited, of which there is one for each value of a counter; if `counted`, of `LARGE`, too.
    """
    arguments = {"device": device}
    unanswered = _bug(place, lost)
    return (
        Task(
            id=f"done.pulse.{device}",
            family="control",
            theorem=DonePulse,
            harness=stages.done_pulse,
            arguments=arguments,
            search={"bare": True},
            obligations=2 + children + claims,
            bug=_bug(place, tied),
            cover_depth=60,
            bug_depth=60,
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
            bug=unanswered,
            bug_depth=60,
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
            bug=unanswered,
            engine="l2s",
            sizes=(LARGE,) if counted else (),
            at={name: {"engine": "explore"} for name in too_large_for_pdr},
        ),
    )


def _start_ignored(device: str, place: tuple[str, str], heard: Bug) -> Task:
    return Task(
        id=f"control.start_ignored.{device}",
        family="control",
        theorem=StartIgnored,
        harness=stages.start_ignored,
        arguments={"device": device},
        search={"bare": True},
        obligations=2,
        bug=_bug(place, heard),
        sizes=(LARGE,),
    )


def _positions(stage: str, theorem: type[Theorem], claims: int, bug: PlantedBug) -> Task:
    return Task(
        id=f"schedule.positions.{stage}",
        family="schedule",
        domain=SEVERAL_POSITIONS,
        theorem=theorem,
        harness=loops.positions,
        arguments={"stage": stage},
        obligations=claims,
        bug=bug,
        cover_depth=40,
        bug_depth=40,
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
_PROJECTION = ("design.stages.projection", "ProjectionStage")
_SCORE = ("design.stages.score", "ScoreStage")
_VALUE = ("design.stages.value", "ValueStage")
_LAYER = ("design.sequencer", "LayerSequencer")
_TOKEN = ("design.sequencer", "TokenSequencer")

CONTROL: tuple[Task, ...] = (
    *_handshake("projection", _PROJECTION, 6, too_large_for_pdr=(*_LONG, "nano@1")),
    *_handshake("score", _SCORE, 4, too_large_for_pdr=_LONG),
    # At smollm2_135m, with its two counters, over 8 minutes of a core.
    *_handshake("value", _VALUE, 5, too_large_for_pdr=_LONG, counted=False),
    *_handshake("layer", _LAYER, 4, children=3, tied=TOLD_TWICE),
    *_handshake("token", _TOKEN, 6, children=3, tied=AGAIN, lost=UNANSWERED),
    _start_ignored("projection", _PROJECTION, HEADER_ON_START),
    _start_ignored("score", _SCORE, RESTARTED),
    _start_ignored("value", _VALUE, RESTARTED),
    _start_ignored("layer", _LAYER, LAYER_RESTARTED),
    Task(
        id="schedule.projection",
        family="schedule",
        theorem=ScheduledBeats,
        harness=stages.scheduled_beats,
        # The order of the weights, up to the largest shape.
        sizes=("stories15m", "stories110m", LARGE, "llama2_7b", "llama2_70b"),
        obligations=14,
        bug=ALWAYS_FIRST,
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
        bug=ROW_TOO_FEW,
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
        bug=ONE_BLOCK,
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
        bug=OLD_LAYER,
        cover_depth=60,
        bug_depth=60,
        sizes=(LARGE,),
        # A token of 30 layers takes so long.
        at={LARGE: {"cover_depth": 150}},
    ),
)
