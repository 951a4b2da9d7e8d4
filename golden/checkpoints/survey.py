"""What a reader knows of a file before it reads a weight, and the model that comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from golden.checkpoint import Checkpoint, tensor_shapes
from golden.formats.facts import brief
from golden.formats.regions import Interleaved, Region
from golden.tensors import LazyTensor, Stored, Tensor
from spec.shape import Shape
from tools.errors import BadInput

#: Whose rows are in the order of RoPE's pairs, by the name of the tensor.
PAIRED = {"wq": "heads", "bq": "heads", "wk": "kv_heads", "bk": "kv_heads"}


class Entry(NamedTuple):
    """A tensor as it lies in a file."""

    type: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Survey:
    """A file that somebody wants to use: what it is, what it holds, and what of it is not built."""

    format: str
    shape: Shape
    tensors: Mapping[str, Entry]
    """What lies in the file, by the names there."""
    weights: Mapping[str, Tensor]
    """What becomes of it, by the names of `tensor_shapes`; some may be missing if `refused`."""
    shared: bool
    refused: Sequence[str] = ()
    """A sentence for everything that is not built, so that the model cannot be used."""

    def checkpoint(self) -> Checkpoint:
        """The model. Raises :class:`BadInput` with the first of what is `refused`."""
        if self.refused:
            more = len(self.refused) - 1
            rest = f" (and {more} more: python -m golden inspect)" if more else ""
            raise BadInput(f"{self.refused[0]}{rest}")
        return Checkpoint(shape=self.shape, weights=self.weights, shared=self.shared)


def entries(tensors: Mapping[str, Region]) -> dict[str, Entry]:
    """What `Survey.tensors` says of `tensors`."""
    return {name: Entry(r.encoding.name, r.shape, r.bytes) for name, r in tensors.items()}


def mapped(
    where: str,
    shape: Shape,
    shared: bool,
    names: Mapping[str, str],
    tensors: Mapping[str, Region],
    encodings: Sequence[str],
    refused: list[str],
    *,
    halves: bool,
) -> dict[str, Tensor]:
    """The weights of `shape` out of `tensors`, found by `names`: ours to theirs, {} the layer.

    With `halves` the rows of queries and keys are stored half-split. What is missing, misshapen,
    of a type not in `encodings`, or left over goes to `refused`.
    """
    weights: dict[str, Tensor] = {}
    left = dict(tensors)
    for ours, dims in tensor_shapes(shape).items():
        if ours == "wcls" and shared:
            continue
        stacked = "{}" in names[ours]
        layers = range(shape.layers) if stacked else range(1)
        parts: list[Stored] = []
        for layer in layers:
            name = names[ours].format(layer)
            region = left.pop(name, None)
            if region is None:
                refused.append(f"{where}: tensor {name} is missing")
                break
            if region.shape != dims[stacked:]:
                expected = dims[stacked:]
                refused.append(f"{where}: tensor {name} is {region.shape}, not {expected}")
                break
            if region.encoding.name not in encodings:
                refused.append(
                    f"{where}: tensor {name} has type {region.encoding.name},"
                    f" which is not one of {', '.join(encodings)}"
                )
                break
            pairs = halves and ours in PAIRED
            parts.append(Interleaved(region, getattr(shape, PAIRED[ours])) if pairs else region)
        else:
            weights[ours] = LazyTensor(parts, stacked=stacked)
    if shared and "tok_embeddings" in weights:
        weights["wcls"] = weights["tok_embeddings"]
    if not refused:  # else they may be what is missed above, under another name
        for name in left:
            refused.append(f"{where}: tensor {brief(name)} is unknown, so may matter")
    return weights
