"""The proof tasks of what a reset does to the whole decoder."""

from formal.harness import memories, reset
from formal.tasks.configs import CORE
from formal.tasks.task import Task
from properties.argmax import LastIsNew
from properties.reset import ResetForgets, ResetIsPowerOn
from tools.planting import PlantedBug

BEAT_SURVIVES = PlantedBug(
    "a beat that waits survives a reset",
    "design.issue",
    "Issue.__init__",
    "self.waits = Signal()",
    "self.waits = Signal(reset_less=True)",
)
ZERO_SKIPPED = PlantedBug(
    "a zero of the hidden vector does not wait for its weights",
    "design.issue",
    "Issue.elaborate",
    "needs_weights & ~self.i_weights.valid",
    "needs_weights & ~self.i_weights.valid & (self.hidden.mantissa != 0)",
)
STALE_WORD = PlantedBug(
    "while no logit is offered, the queue shows what it held long ago",
    "design.argmax",
    "Argmax.elaborate",
    "Mux(queue.r_rdy, queue.r_data, logit.as_value())",
    "Mux(take & ~queue.r_rdy, logit.as_value(), queue.r_data)",
)


def _power_on(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return Task(
        id=f"reset.power_on{suffix}",
        family="reset",
        theorem=ResetIsPowerOn,
        harness=reset.power_on,
        arguments=arguments,
        configs=configs,
        search={"layers": 1},
        obligations=6,
        bug=BEAT_SURVIVES,
        # Whatever the state: one step from any.
        depth=1,
    )


def _forgets(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return Task(
        id=f"reset.forgets{suffix}",
        family="reset",
        theorem=ResetForgets,
        harness=reset.forgets,
        arguments=arguments,
        configs=configs,
        obligations=12,
        bug=ZERO_SKIPPED,
        engine="cone",
    )


RESET: tuple[Task, ...] = (
    _power_on(""),
    _power_on("_external", (), external=True),
    _forgets(""),
    _forgets("_external", (), external=True),
    Task(
        id="reset.last_is_new",
        family="reset",
        theorem=LastIsNew,
        harness=memories.last_is_new,
        obligations=3,
        bug=STALE_WORD,
        depth=1,
    ),
)
