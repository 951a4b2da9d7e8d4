"""The proof tasks of what a reset does to the whole decoder."""

from formal.canary import Canary
from formal.harness import reset
from formal.task import SHIPPED, Task
from properties.reset import ResetForgets, ResetIsPowerOn

BEAT_SURVIVES = Canary(
    "a beat that waits survives a reset",
    "design.issue",
    "waits = Signal()",
    "waits = Signal(reset_less=True)",
)
ZERO_SKIPPED = Canary(
    "a zero of the hidden vector does not wait for its weights",
    "design.issue",
    "~(needs_weights & ~self.i_weights.valid)",
    "~(needs_weights & ~self.i_weights.valid & (self.hidden != 0))",
)


def _power_on(suffix: str, configs: tuple[str, ...], **arguments: bool) -> Task:
    return Task(
        id=f"reset.power_on{suffix}",
        family="reset",
        theorem=ResetIsPowerOn,
        harness=reset.power_on,
        arguments=arguments,
        search={"layers": 1},
        configs=configs,
        obligations=6,
        canary=BEAT_SURVIVES,
        # Whatever the state: one step from any.
        depth=1,
    )


def _forgets(suffix: str, configs: tuple[str, ...], **arguments: bool) -> Task:
    return Task(
        id=f"reset.forgets{suffix}",
        family="reset",
        theorem=ResetForgets,
        harness=reset.forgets,
        arguments=arguments,
        configs=configs,
        obligations=11,
        canary=ZERO_SKIPPED,
        engine="cone",
    )


RESET: tuple[Task, ...] = (
    _power_on("", SHIPPED),
    _power_on("_external", SHIPPED, external=True),
    _forgets("", SHIPPED),
    _forgets("_external", SHIPPED, external=True),
)
