"""The proof tasks of whatever says what happens when: stages and sequencers."""

from functools import partial
from typing import Any

from formal.harness import stages, token
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


#: In `composition`, too.
ABOVE = PlantedBug(
    "a value pass reads one position too many",
    "design.stages.value", "ValueStage.elaborate", "beat.last.eq(t == pos)",
    "beat.last.eq(t == pos + 1)",
)  # fmt: skip
#: The node and its replacement in a stage that hears a start while it works.
_RESTARTED = (
    "m.d.comb += self.o.valid.eq(1)",
    "m.d.comb += self.o.valid.eq(1)\nm.d.sync += pos.eq(Mux(self.start, self.pos, pos))",
)

#: A model that people have; what does not depend on sizes is proved of it, too.
LARGE = "smollm2_135m"
_task = partial(Task, family="control")
_schedule = partial(Task, family="schedule", sizes=(LARGE,))
#: Witnesses and bugs lie further from reset there than a solver gets.
BY_EXPLORE = {LARGE: {"search_by": "explore"}}


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

    Without a ranking PDR counts through every counter. Where that takes too long, states
    are enumerated, one for each value of a counter; if `counted`, of `LARGE`, too.
    """
    bare: dict[str, Any] = {"search": {"bare": True}, "sizes": (LARGE,), "at": BY_EXPLORE}
    unanswered, arguments = _bug(place, lost), {"device": device}
    return (
        _task(f"done.pulse.{device}", DonePulse, stages.done_pulse, _bug(place, tied),
            arguments=arguments, obligations=2 + children + claims, cover_depth=60, bug_depth=60,
            **bare),
        _task(f"done.ranking.{device}", DonePulseRanking, stages.done_ranking, unanswered,
            arguments=arguments, obligations=4 + claims, bug_depth=60, **bare),
        _task(f"done.fair.{device}", DonePulseFair, stages.done_fair, unanswered,
            arguments=arguments, obligations=1, engine="l2s", sizes=(LARGE,) if counted else (),
            at={name: {"engine": "explore"} for name in too_large_for_pdr}),
    )  # fmt: skip


def _start_ignored(device: str, place: tuple[str, str], node: str, replacement: str) -> Task:
    bug = _bug(place, ("a start while it works is heard, too", node, replacement))
    return _task(
        f"control.start_ignored.{device}", StartIgnored, stages.start_ignored, bug,
        arguments={"device": device}, search={"bare": True}, obligations=2, sizes=(LARGE,),
    )  # fmt: skip


def _positions(stage: str, theorem: type[Theorem], claims: int, bug: PlantedBug) -> Task:
    return _schedule(
        f"schedule.positions.{stage}", theorem, stages.positions, bug, arguments={"stage": stage},
        domain=SEVERAL_POSITIONS, obligations=claims, cover_depth=40, bug_depth=40, at=BY_EXPLORE,
    )  # fmt: skip


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
    _start_ignored("projection", _PROJECTION,
        "column == Mux(beat.folded, last_column >> 1, last_column)",
        "self.start | column == Mux(beat.folded, last_column >> 1, last_column)"),
    _start_ignored("score", _SCORE, *_RESTARTED),
    _start_ignored("value", _VALUE, *_RESTARTED),
    _start_ignored("layer", _LAYER,
        "self._done(work)", "self._done(work) | (self.start if work is Op.QKV else 0)"),
    # The order of the weights, up to the largest shape.
    # Yices takes nine times as long on the counters of the largest shapes, five on their gates.
    # Witnesses lie whole passes from reset.
    _schedule("schedule.projection", ScheduledBeats, stages.scheduled_beats,
        sizes=("stories15m", "stories110m", LARGE, "llama2_7b", "llama2_70b"), obligations=14,
        engine="bitwuzla", confirm="yices-gates", search_by="explore", bug=PlantedBug(
            "every column begins a sum",
            "design.stages.projection", "ProjectionStage.elaborate", "column == 0", "1")),
    # Witnesses lie whole passes from reset.
    _schedule("schedule.rows_left", RowsLeftCovered, stages.rows_left, obligations=6,
        search_by="explore", bug=PlantedBug(
            "a projection begins with a row too few",
            "design.stages.projection", "ProjectionStage.elaborate.begin", "spec.rows",
            "spec.rows - 1")),
    _positions("score", ScorePositions, 10, PlantedBug(
        "a score pass goes on behind the newest word, to the one after",
        "design.stages.score", "ScoreStage.elaborate",
        "(t >> word_bits) == (pos >> word_bits)", "(t >> word_bits) > (pos >> word_bits)")),
    _positions("value", ValuePositions, 12, ABOVE),
    _schedule("schedule.layer", LayerOrder, stages.layer_order, obligations=6, cover_depth=20,
        at=BY_EXPLORE, bug=PlantedBug(
            "the output projection starts with a block too many or too few",
            "design.sequencer", "LayerSequencer.elaborate", "block == plan.blocks - 1",
            "block != plan.blocks - 1")),
    # A token of 30 layers takes so long.
    _schedule("schedule.token", TokenOrder, token.order, domain=SEVERAL_POSITIONS, obligations=20,
        cover_depth=60, bug_depth=60, at={LARGE: {"cover_depth": 150}},
        bug=PlantedBug(
            "a layer starts in the cycle in which its number is not told yet",
            "design.sequencer", "TokenSequencer.elaborate", "self.layer_start.eq(next_layer)",
            "self.layer_start.eq(self.layer_done & (self.layer != shape.layers - 1))")),
)  # fmt: skip
