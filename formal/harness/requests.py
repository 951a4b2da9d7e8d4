"""Models of the clients of the scalar multipliers."""

from collections.abc import Callable, Mapping
from typing import Any

from design.reciprocals import Reciprocals
from design.residual import Residual
from design.rmsnorm import RmsNorm
from design.rope import Rope
from design.swiglu import SwiGlu
from design.writeback import Writeback
from formal.model import Model
from properties.requests import IdleIsSilent
from spec.config import Config

#: Every unit that asks a scalar multiplier for products, by the name it has in the decoder.
CLIENTS: Mapping[str, Callable[[Config], Any]] = {
    "writeback": Writeback,
    "residual": Residual,
    "rmsnorm": RmsNorm,
    "reciprocals": Reciprocals,
    "rope": Rope,
    "swiglu": SwiGlu,
}


def idle(config: Config, *, client: str) -> Model:
    """The unit as it is; any product may come back."""
    dut = CLIENTS[client](config)
    return Model(dut, IdleIsSilent(dut))
