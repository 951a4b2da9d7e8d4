"""How the units fill their trace records."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import data

from spec.config import Config
from spec.derived import ceil_pow2, derive
from spec.trace import Tensor


def record(
    target: data.View,
    *,
    valid: Value,
    tensor: Tensor | Value,
    layer: Value | int,
    index: Value | int,
    value: Value,
) -> list:
    """Statements that drive one trace record."""
    return [
        target.valid.eq(valid),
        target.tensor.eq(tensor.value if isinstance(tensor, Tensor) else tensor),
        target.layer.eq(layer),
        target.index.eq(index),
        target.value.eq(value),
    ]


@dataclass(frozen=True)
class SlotHead:
    """The query head in a slot: its number, and whether the shape has it."""

    head: Value
    exists: Value


def slot_head(config: Config, block: Value, slot: int | Value) -> SlotHead:
    """The query head that sits in `slot` while `block` is served."""
    slots = derive(config).slots
    head = Cat(Const(slot, (slots - 1).bit_length()) if isinstance(slot, int) else slot, block)
    return SlotHead(head=head, exists=head < config.shape.heads)


def head_position(config: Config, head: Value, t: Value) -> Value:
    """Trace index of a score or weight: head * ceil_pow2(seq_len) + t."""
    bits = (ceil_pow2(config.shape.seq_len) - 1).bit_length()
    return Cat(t | Const(0, bits), head)
