"""The proof tasks of what timing depends on."""

from functools import partial

from formal.harness import leaks
from formal.tasks.configs import CORE, WIDE
from formal.tasks.task import Task
from properties.leaks import EndIsTaken, TimingLeaksNothing
from tools.planting import PlantedBug

_task = partial(Task, family="leaks")


def _timing(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return _task(
        f"leaks.timing{suffix}", TimingLeaksNothing, leaks.timing, arguments=arguments,
        configs=configs, obligations=11, engine="cone", bug=PlantedBug(
            "a beat of zeros does not wait to be offered",
            "design.issue", "Issue.elaborate",
            "~self.blocked & ~(needs_weights & ~self.i_weights.valid)",
            "~self.blocked & (~(needs_weights & ~self.i_weights.valid) | "
            "~Value.cast(self.i_weights.payload).any())"),
    )  # fmt: skip


LEAKS: tuple[Task, ...] = (
    _timing(""),
    _timing("_external", (), external=True),
    # Whatever the state, both: one step from any.
    _task("leaks.end_is_taken", EndIsTaken, leaks.end_is_taken, obligations=1, depth=1,
        cover_depth=60, bug_depth=60, bug=PlantedBug(
            "the end of an answer counts before the answer is taken",
            "design.sequencer", "TokenSequencer.elaborate",
            "with m.If(self.o_token.ready):\n"
            "    m.d.sync += ended.eq(answer.end)\n"
            "    m.next = IDLE",
            "m.d.sync += ended.eq(answer.end)\nwith m.If(self.o_token.ready):\n    m.next = IDLE")),
    # That the host sees what the sequencer answers: one decoder is like the other. Hundreds of
    # cycles pass until its first answer.
    _task("leaks.end_is_taken_whole", EndIsTaken, leaks.end_is_taken_whole, obligations=1, depth=1,
        configs=("nano",), search={"steered": True, "layers": 1}, search_by="explore",
        unproved=dict.fromkeys(
            (name for name in (*CORE, *WIDE) if name != "nano"),
            "not asked: at stories260k it takes over a minute. The stream leaves every decoder as"
            " it leaves the sequencer, of which `leaks.end_is_taken` is proved"),
        bug=PlantedBug(
            "whether a text ended follows the choice while the classifier works",
            "design.sequencer", "TokenSequencer.elaborate",
            "m.d.comb += self.busy.eq(~self.fsm.ongoing(IDLE))",
            "m.d.comb += self.busy.eq(~self.fsm.ongoing(IDLE))\n"
            "m.d.sync += ended.eq(answer.end)")),
)  # fmt: skip
