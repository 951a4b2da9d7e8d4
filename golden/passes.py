"""Converts the rows of a weight matrix to beats in the order of `spec.schedule`, and back."""

import numpy as np

from golden.quantise import Rows
from spec.derived import MAX_SHIFT, SHIFT_BITS, ceil_div
from spec.schedule import Matrix
from tools.errors import BadInput


def to_beats(rows: Rows, spec: Matrix) -> np.ndarray:
    """(spec.beats, lanes): the beats of one matrix, or (n, spec.beats, lanes) for n matrices.

    `rows` has shifts (rows,) and weights (rows, cols), or (n, rows) and (n, rows, cols).
    """
    whole, half = spec.rows - spec.folded_rows, spec.cols // 2
    beats = _whole_beats(rows.shift[..., :whole], rows.weights[..., :whole, :], spec)
    if not spec.folded_rows:
        return beats
    # A row of a column-split pass is two rows of half the columns; the second has no shift.
    folded = np.zeros((2, spec.lanes // 2, 1 + half), dtype=beats.dtype)
    folded[0, : spec.folded_rows, 0] = rows.shift[whole:]
    folded[0, : spec.folded_rows, 1:] = rows.weights[whole:, :half]
    folded[1, : spec.folded_rows, 1:] = rows.weights[whole:, half:]
    header, *columns = folded.reshape(spec.lanes, 1 + half).T
    if not spec.shares_header:
        return np.concatenate([beats, [header], columns])
    used = spec.whole_passes % spec.header_passes  # fields of the last header in use
    beats[-1 - used * spec.cols] |= header << (used * SHIFT_BITS)
    return np.concatenate([beats, columns])


def _whole_beats(shift: np.ndarray, weights: np.ndarray, spec: Matrix) -> np.ndarray:
    """(..., rows), (..., rows, cols) -> (..., beats, lanes) of the whole passes."""
    *many, count, cols = weights.shape
    lanes, share = spec.lanes, spec.header_passes
    headers = ceil_div(spec.whole_passes, share)
    # The weight type also holds a header.
    padded = np.zeros((*many, headers * share * lanes, 1 + cols), dtype=weights.dtype)
    padded[..., :count, 0] = shift
    padded[..., :count, 1:] = weights
    padded = padded.reshape(*many, headers, share, lanes, 1 + cols)
    fields = [padded[..., n, :, 0] << (n * SHIFT_BITS) for n in range(share)]
    # (..., headers, share, lanes, cols) -> (..., headers, share * cols, lanes)
    columns = padded[..., 1:].swapaxes(-1, -2).reshape(*many, headers, share * cols, lanes)
    header = np.sum(fields, axis=0, dtype=weights.dtype)[..., None, :]
    beats = np.concatenate([header, columns], axis=-2)
    # The last header may be for fewer passes than its fields.
    used = headers + spec.whole_passes * cols
    return beats.reshape(*many, headers * (1 + share * cols), lanes)[..., :used, :]


def from_beats(beats: np.ndarray, spec: Matrix) -> Rows:
    """The inverse of `to_beats`; raises :class:`BadInput` for padding that is not zero."""
    whole, half = spec.rows - spec.folded_rows, spec.cols // 2
    folded = np.zeros((0, spec.lanes), dtype=np.int64)
    if spec.folded_rows:
        folded = beats[-half:]
        if spec.shares_header:
            # Its field in the shared header is cleared, as `_from_whole_beats` expects zeros there.
            beats = beats[:-half].copy()
            used = spec.whole_passes % spec.header_passes
            header = beats[-1 - used * spec.cols] >> (used * SHIFT_BITS)
            beats[-1 - used * spec.cols] &= (1 << (used * SHIFT_BITS)) - 1
        else:
            header, beats = beats[-half - 1], beats[: -half - 1]
    shift, weights, padding = _from_whole_beats(beats, whole, spec)
    if spec.folded_rows:
        left, right = np.vstack([header, folded]).T.reshape(2, spec.lanes // 2, 1 + half)
        shift = np.concatenate([shift, left[: spec.folded_rows, 0]])
        sides = [side[: spec.folded_rows, 1:] for side in (left, right)]
        weights = np.concatenate([weights, np.concatenate(sides, axis=1)])
        padding += [left[spec.folded_rows :], right[spec.folded_rows :], right[:, 0]]
        padding += [left[:, 0] >> SHIFT_BITS]
    if any(part.any() for part in padding):
        raise BadInput(f"image has padding that is not zero in {spec.op.name}")
    return Rows(np.ascontiguousarray(weights), np.ascontiguousarray(shift))


def _from_whole_beats(
    beats: np.ndarray, count: int, spec: Matrix
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Shift (..., count), weights (..., count, cols), and the padding, which must be zero."""
    *many, _, lanes = beats.shape
    cols, share = spec.cols, spec.header_passes
    headers = ceil_div(spec.whole_passes, share)
    padded = np.zeros((*many, headers * (1 + share * cols), lanes), dtype=np.int64)
    padded[..., : beats.shape[-2], :] = beats
    padded = padded.reshape(*many, headers, 1 + share * cols, lanes)
    header = padded[..., 0, :]
    fields = [(header >> (n * SHIFT_BITS)) & MAX_SHIFT for n in range(share)]
    shift = np.stack(fields, axis=-2).reshape(*many, headers * share * lanes)
    weights = padded[..., 1:, :].reshape(*many, headers * share, cols, lanes).swapaxes(-1, -2)
    weights = weights.reshape(*many, headers * share * lanes, cols)
    zero = [shift[..., count:], weights[..., count:, :], header >> (share * SHIFT_BITS)]
    return shift[..., :count], weights[..., :count, :], zero
