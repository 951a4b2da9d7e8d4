"""The proof tasks of the way from the array to the memories."""

from formal.canary import Canary
from formal.harness import dataflow
from formal.task import Task
from properties.drain import DrainOrder, DrainTiming
from properties.pass_buffer import PassFair, PassOrder

OVERWRITTEN = Canary(
    "a pass that comes takes the place of the one that waits",
    "design.pass_buffer",
    "self.i_valid & ~full & ~self.o_ready",
    "self.i_valid & ~self.o_ready",
)
STUCK = Canary(
    "the buffer stays full",
    "design.pass_buffer",
    "full.eq(holds | (full & ~self.o_ready))",
    "full.eq(holds | full)",
)

CAPTURED_EARLY = Canary(
    "the next pass is captured over the last two sums",
    "design.drain",
    "leaves & (remaining == 1)",
    "leaves & (remaining <= 2)",
)
OUT_OF_PHASE = Canary(
    "odd rows leave with the even ones",
    "design.drain",
    "self.phase == Mux(self.o.row[0], derived.turn, 0)",
    "self.phase == 0",
)


def _drain(suffix: str, **lanes: int) -> tuple[Task, Task]:
    """The two theorems on the drain."""
    return (
        Task(
            id=f"dataflow.drain_order{suffix}",
            family="dataflow",
            theorem=DrainOrder,
            harness=dataflow.drain_order,
            arguments=lanes,
            obligations=9,
            canary=CAPTURED_EARLY,
        ),
        Task(
            id=f"dataflow.drain_timing{suffix}",
            family="dataflow",
            theorem=DrainTiming,
            harness=dataflow.drain_timing,
            arguments=lanes,
            obligations=8,
            canary=OUT_OF_PHASE,
            cover_depth=40,
            canary_depth=40,
        ),
    )


DATAFLOW: tuple[Task, ...] = (
    Task(
        id="dataflow.pass_order",
        family="dataflow",
        theorem=PassOrder,
        harness=dataflow.pass_order,
        obligations=4,
        canary=OVERWRITTEN,
    ),
    Task(
        id="dataflow.pass_fair",
        family="dataflow",
        theorem=PassFair,
        harness=dataflow.pass_fair,
        obligations=1,
        canary=STUCK,
        engine="l2s",
    ),
    *_drain(""),
    *_drain("_wide", lanes=16),
)
