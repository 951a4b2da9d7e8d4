"""The header of a model file, as a reader returns it, and the model made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from golden.checkpoint import Checkpoint, tensor_shapes
from golden.formats.facts import brief
from golden.formats.regions import Interleaved, Region
from golden.tensors import LazyTensor, Stored, Tensor
from spec.shape import Shape
from tools.errors import BadInput

#: Tensors whose rows are in the order of RoPE's pairs, and the field with their head count.
PAIRED = {"wq": "heads", "bq": "heads", "wk": "kv_heads", "bk": "kv_heads"}


class Entry(NamedTuple):
    """A tensor as stored in a file."""

    type: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Survey:
    """The header of a model file: format, content, and features that are not supported."""

    format: str
    shape: Shape
    tensors: Mapping[str, Entry]
    """The tensors in the file, by their names there."""
    weights: Mapping[str, Tensor]
    """The weights, by the names of `tensor_shapes`; some may be missing if `refused`."""
    shared: bool
    refused: Sequence[str] = ()
    """A sentence for each unsupported feature; if any, the model cannot be used."""

    def checkpoint(self) -> Checkpoint:
        """The model. Raises :class:`BadInput` with the first sentence of `refused`."""
        if self.refused:
            more = len(self.refused) - 1
            rest = f" (and {more} more: python -m golden inspect)" if more else ""
            raise BadInput(f"{self.refused[0]}{rest}")
        return Checkpoint(shape=self.shape, weights=self.weights, shared=self.shared)


def entries(tensors: Mapping[str, Region]) -> dict[str, Entry]:
    """The entries of `Survey.tensors` for `tensors`."""
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
    """The weights of `shape` from `tensors`; `names` maps our names to theirs, {} is the layer.

    With `halves` the rows of queries and keys are stored half-split. Tensors that are missing,
    misshapen, of a type not in `encodings`, or left over are reported in `refused`.
    """
    weights: dict[str, Tensor] = {}
    unused = dict(tensors)
    for ours, dims in tensor_shapes(shape).items():
        if ours == "wcls" and shared:
            continue
        stacked = "{}" in names[ours]
        layers = range(shape.layers) if stacked else range(1)
        parts: list[Stored] = []
        for layer in layers:
            name = names[ours].format(layer)
            region = unused.pop(name, None)
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
    if not refused:  # otherwise an unused tensor may be a missing one under another name
        for name in unused:
            refused.append(f"{where}: tensor {brief(name)} is unknown and may change the result")
    return weights
