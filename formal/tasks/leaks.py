"""The proof tasks of what timing depends on."""

from collections.abc import Callable
from typing import Any

from formal.harness import leaks
from formal.model import Model
from formal.tasks.configs import CORE, WIDE
from formal.tasks.task import Task
from properties.leaks import EndIsTaken, TimingLeaksNothing
from tools.planting import PlantedBug

ZERO_SKIPPED = PlantedBug(
    "a beat of zeros does not wait to be offered",
    "design.issue",
    "Issue.elaborate",
    "~self.blocked & ~(needs_weights & ~self.i_weights.valid)",
    "~self.blocked & (~(needs_weights & ~self.i_weights.valid) | "
    "~Value.cast(self.i_weights.payload).any())",
)
FOLLOWS_THE_CHOICE = PlantedBug(
    "whether a text ended follows the choice while the classifier works",
    "design.sequencer",
    "TokenSequencer.elaborate",
    "m.d.comb += self.busy.eq(~self.fsm.ongoing(IDLE))",
    "m.d.comb += self.busy.eq(~self.fsm.ongoing(IDLE))\nm.d.sync += ended.eq(answer.end)",
)
ENDS_EARLY = PlantedBug(
    "the end of an answer counts before the answer is taken",
    "design.sequencer",
    "TokenSequencer.elaborate",
    "with m.If(self.o_token.ready):\n    m.d.sync += ended.eq(answer.end)\n    m.next = IDLE",
    "m.d.sync += ended.eq(answer.end)\nwith m.If(self.o_token.ready):\n    m.next = IDLE",
)


def _timing(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return Task(
        id=f"leaks.timing{suffix}",
        family="leaks",
        theorem=TimingLeaksNothing,
        harness=leaks.timing,
        arguments=arguments,
        configs=configs,
        obligations=11,
        bug=ZERO_SKIPPED,
        engine="cone",
    )


def _end_is_taken(
    suffix: str,
    harness: Callable[..., Model],
    bug: PlantedBug,
    **more: Any,
) -> Task:
    return Task(
        id=f"leaks.end_is_taken{suffix}",
        family="leaks",
        theorem=EndIsTaken,
        harness=harness,
        obligations=1,
        bug=bug,
        # Whatever the state: one step from any.
        depth=1,
        **more,
    )


LEAKS: tuple[Task, ...] = (
    _timing(""),
    _timing("_external", (), external=True),
    _end_is_taken("", leaks.end_is_taken, ENDS_EARLY, cover_depth=60, bug_depth=60),
    # That the host sees what the sequencer answers: one decoder is like the other. Hundreds of
    # cycles pass until its first answer.
    _end_is_taken(
        "_whole", leaks.end_is_taken_whole, FOLLOWS_THE_CHOICE, configs=("nano",),
        search={"steered": True, "layers": 1}, search_by="explore",
        unproved=dict.fromkeys(
            (name for name in (*CORE, *WIDE) if name != "nano"),
            "not asked: at stories260k it takes over a minute. The stream leaves every decoder as"
            " it leaves the sequencer, of which `leaks.end_is_taken` is proved",
        ),
    ),
)  # fmt: skip
