"""Models of what lies between the array and the units that write the memories."""

from design.config import Config
from design.pass_buffer import PassBuffer
from formal.model import Model
from properties.pass_buffer import PassFair, PassOrder


def pass_order(config: Config) -> Model:
    """The buffer as it is."""
    buffer = PassBuffer(config)
    return Model(buffer, PassOrder(buffer))


def pass_fair(config: Config) -> Model:
    """The buffer as it is; no reset, which would lose a pass."""
    buffer = PassBuffer(config)
    theorem = PassFair(buffer)
    return Model(buffer, theorem, resets=False, outputs=theorem.outputs())
