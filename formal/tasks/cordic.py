"""The proof task of the angles that are computed for each token."""

from formal.harness import cordic
from formal.tasks.configs import CORE, PROOF_CONFIGS, WIDE
from formal.tasks.task import Domain, Task
from properties.cordic import AnglesComputed
from spec.config import RopeBy
from tools.planting import PlantedBug

BY_CORDIC = Domain(
    "every shape, number of lanes and backing, RoPE by CORDIC",
    lambda config: config.numerics.rope_by is RopeBy.CORDIC,
)
_OTHERS = [name for name in (*CORE, *WIDE) if not BY_CORDIC.holds(PROOF_CONFIGS[name])]
CORDIC: tuple[Task, ...] = (
    Task("rope.cordic", AnglesComputed, cordic.angles_computed, family="dataflow",
        configs=("rope_cordic",), obligations=6, search={"brief": True}, cover_depth=30,
        unproved=dict.fromkeys(_OTHERS, "RoPE by table there"), domain=BY_CORDIC, bug=PlantedBug(
            "the first phase of a text goes on from the text before",
            "design.cordic", "CordicAngles.elaborate", "Mux(first, 0, old.data + step.data)",
            "old.data + step.data")),
)  # fmt: skip
