"""The proof tasks of the way from the array to the memories."""

from formal.canary import Canary
from formal.harness import dataflow
from formal.task import Task
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
)
