"""The proof tasks of what timing depends on."""

from formal.canary import Canary
from formal.harness import leaks
from formal.task import SHIPPED, Task
from properties.leaks import TimingLeaksNothing

ZERO_SKIPPED = Canary(
    "a beat of zeros does not wait to be offered",
    "design.issue",
    "self.en.eq(~self.blocked & ~(needs_weights & ~self.i_weights.valid))",
    """self.en.eq(
                ~self.blocked
                & (
                    ~(needs_weights & ~self.i_weights.valid)
                    | ~Value.cast(self.i_weights.payload).any()
                )
            )""",
)


def _timing(suffix: str, configs: tuple[str, ...], **arguments: bool) -> Task:
    return Task(
        id=f"leaks.timing{suffix}",
        family="leaks",
        theorem=TimingLeaksNothing,
        harness=leaks.timing,
        arguments=arguments,
        configs=configs,
        obligations=11,
        canary=ZERO_SKIPPED,
        engine="cone",
    )


LEAKS: tuple[Task, ...] = (
    _timing("", SHIPPED),
    _timing("_external", ("stories260k",), external=True),
)
