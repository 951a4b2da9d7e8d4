"""The proof tasks of what a reset does to the whole decoder."""

from functools import partial

from formal.harness import memories, reset
from formal.tasks.configs import CORE
from formal.tasks.task import Task
from properties.argmax import LastIsNew
from properties.reset import ResetForgets, ResetIsPowerOn
from tools.planting import PlantedBug

_task = partial(Task, family="reset")


def _power_on(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    # Whatever the state: one step from any.
    return _task(
        f"reset.power_on{suffix}", ResetIsPowerOn, reset.power_on, arguments=arguments,
        configs=configs, search={"layers": 1}, obligations=6, depth=1, bug=PlantedBug(
            "a beat that waits survives a reset",
            "design.issue", "Issue.__init__",
            "self.waits = Signal()", "self.waits = Signal(reset_less=True)"),
    )  # fmt: skip


def _forgets(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return _task(
        f"reset.forgets{suffix}", ResetForgets, reset.forgets, arguments=arguments,
        configs=configs, obligations=12, engine="cone", bug=PlantedBug(
            "a zero of the hidden vector does not wait for its weights",
            "design.issue", "Issue.elaborate", "needs_weights & ~self.i_weights.valid",
            "needs_weights & ~self.i_weights.valid & (self.hidden.mantissa != 0)"),
    )  # fmt: skip


RESET: tuple[Task, ...] = (
    _power_on(""),
    _power_on("_external", (), external=True),
    _forgets(""),
    _forgets("_external", (), external=True),
    _task("reset.last_is_new", LastIsNew, memories.last_is_new, obligations=3, depth=1,
        bug=PlantedBug(
            "while no logit is offered, the queue shows what it held long ago",
            "design.argmax", "Argmax.elaborate",
            "Mux(queue.r_rdy, queue.r_data, logit.as_value())",
            "Mux(take & ~queue.r_rdy, logit.as_value(), queue.r_data)")),
)  # fmt: skip
