"""The stages of a layer and their order.

A stage is a projection, or a pass of the attention over one block of heads. The sequencer runs
the stages in this order, the golden decoder computes in it, and the cycle model adds them up. A
theorem states that the sequencer follows it.
"""

import enum
import functools
from dataclasses import dataclass

from spec.config import Config
from spec.derived import derive
from spec.schedule import Op, layer_ops


class Attend(enum.Enum):
    """The passes of the attention, for each block of heads."""

    SCORES = "scores"
    VALUES = "values"


Work = Op | Attend


@dataclass(frozen=True)
class Stage:
    """One stage of a layer; `block` counts the blocks of heads, and is 0 for a projection."""

    work: Work
    block: int = 0


@dataclass(frozen=True)
class LayerPlan:
    """The stages of a layer: projections, then the passes of each block, then projections."""

    before: tuple[Op, ...]
    blocks: int
    after: tuple[Op, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, in order."""
        attention = (Stage(work, block) for block in range(self.blocks) for work in Attend)
        return (*map(Stage, self.before), *attention, *map(Stage, self.after))

    @property
    def works(self) -> tuple[Work, ...]:
        """The kinds of work, each once, in order."""
        return (*self.before, *Attend, *self.after)

    def number(self, stage: Stage) -> int:
        """The position of a stage in the order, counted from 1."""
        return 1 + self.stages.index(stage)


@functools.cache
def layer_plan(config: Config) -> LayerPlan:
    """The plan of `config`: its matrices in the order of their weights, attention behind QKV."""
    ops = layer_ops(config)
    behind = ops.index(Op.QKV) + 1
    return LayerPlan(ops[:behind], derive(config).head_blocks, ops[behind:])
