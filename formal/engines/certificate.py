"""Checks the reachable states of `explore` independently: an invariant, and a ranking for liveness.

It reads the circuit from ``model.aig`` (AIGER), and all states found by ``explore.cpp``. It does no
search: it evaluates the gates for thousands of states at once, and checks that every initial state
is in the set, that for all inputs every successor of a state is in the set, and that no state
violates a claim. For a live condition, the states have ranks, and no step on which the condition is
not met leads to a greater rank: so a run that never meets it again stays at one rank, where some
fair condition is high on no step.

A state bit that may be 0 and 1 is unknown. So is an input that is irrelevant in a state according
to `explore`: if it were relevant, the successor would have unknown bits, and not be in the set.
"""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formal.engines import explore
from formal.engines.aiger import LIVE, Aiger
from formal.engines.circuit import ANY
from formal.engines.outcome import Job, Outcome
from formal.engines.programs import launch
from properties.dialect import LOOP_ENDS, LOOP_GOES_ON
from tools.sources import ROOT

Words = NDArray[np.uint64]
Numbers = NDArray[np.uint32]

#: States that are evaluated at once.
_BATCH = 1 << 15
_ALL = np.uint64(2**64 - 1)
#: With more free registers than this, initial states are not checked one by one.
_MOST_FREE = 12
_FILES = ("states.bin", "tried.bin", "orders.bin")


def run(job: Job, folder: Path) -> Outcome:
    """Run `explore` again, and check its result."""
    start = time.monotonic()
    explored = explore.run(job, folder, certify=True)
    if explored.status != "PASS":
        return explored
    call = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    check = "from formal.engines import certificate; certificate.main(certificate.Path())"
    command = ["limited", sys.executable, "-P", "-c", f"{call}; {check}"]
    try:
        output = launch.run(command, folder, job.timeout, capture_output=True, text=True).stdout
    except subprocess.TimeoutExpired:
        return replace(explored, status="TIMEOUT", seconds=job.timeout, cover=None)
    except subprocess.CalledProcessError as error:
        (folder / "logfile.txt").write_text(f"{error}\n{error.stderr}")
        return replace(explored, status="ERROR", cover=None)
    finally:
        for name in _FILES:  # tens of megabytes
            (folder / name).unlink(missing_ok=True)
    (folder / "logfile.txt").write_text(output)
    answer = json.loads(output)
    wrong = tuple(answer["wrong"])
    return replace(
        explored,
        status="FAIL" if wrong else "PASS",
        named=wrong,
        found=tuple(sorted(answer["claims"])),
        assumed=tuple(sorted(answer["suppositions"])),
        seconds=round(time.monotonic() - start, 1),
        cover=None,
    )


def transpose(x: Words) -> Words:
    """Transpose each word as a matrix of 8 x 8 bits."""
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0xCCCC0000CCCC), (28, 0xF0F0F0F0)):
        moved = (x ^ (x >> np.uint64(shift))) & np.uint64(mask)
        x = x ^ moved ^ (moved << np.uint64(shift))
    return x


def planes(rows: Words) -> Words:
    """States (a multiple of 64) as rows of words -> for each bit, a row with the bits of all."""
    states, words = rows.shape
    bytes_of = rows.view(np.uint8).reshape(states // 8, 8, 8 * words)
    blocks = transpose(np.ascontiguousarray(bytes_of.transpose(2, 0, 1)).view(np.uint64)[..., 0])
    bits = blocks.view(np.uint8).reshape(8 * words, states // 8, 8)
    return np.ascontiguousarray(bits.transpose(0, 2, 1)).reshape(64 * words, -1).view(np.uint64)


def rows_of(bits: Words) -> Words:
    """The inverse of `planes`."""
    words, states = len(bits) // 64, 64 * bits.shape[1]
    bytes_of = bits.view(np.uint8).reshape(8 * words, 8, states // 8)
    blocks = transpose(np.ascontiguousarray(bytes_of.transpose(0, 2, 1)).view(np.uint64)[..., 0])
    rows = blocks.view(np.uint8).reshape(8 * words, states // 8, 8)
    return np.ascontiguousarray(rows.transpose(1, 2, 0)).reshape(states, -1).view(np.uint64)


def _lanes(row: Words) -> NDArray[np.bool_]:
    return np.unpackbits(row.view(np.uint8), bitorder="little").astype(bool)


class _States:
    """All states, with lookup by content."""

    def __init__(self, rows: Words):
        self.rows = rows
        if not len(rows):
            raise ValueError("no states")
        hashes = self._hash(rows)
        self.order = np.argsort(hashes)
        self.hashes = hashes[self.order]
        if (self.hashes[1:] == self.hashes[:-1]).any():
            raise ValueError("a state occurs twice, or two states have the same hash")

    @staticmethod
    def _hash(rows: Words) -> Words:
        hashes = np.zeros(len(rows), np.uint64)
        for word in rows.T:
            hashes = (hashes ^ word) * np.uint64(0x9E3779B97F4A7C15)
            hashes ^= hashes >> np.uint64(29)
        return hashes

    def find(self, rows: Words) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The indices of states, and whether each exists, compared bit by bit."""
        places = np.searchsorted(self.hashes, self._hash(rows))
        numbers = self.order[np.minimum(places, len(self.order) - 1)]
        return numbers, (self.rows[numbers] == rows).all(axis=1)


@dataclass
class _Order:
    """Ranks of the states, which show that no fair run avoids `never` forever: at every rank, some
    condition of `again` is high on no step that stays at the rank."""

    name: str
    numbers: Numbers
    never: list[int]
    again: list[int]

    def __post_init__(self):
        size = int(self.numbers.max()) + 1
        self.stays = np.zeros(size, bool)
        self.stood = np.zeros((len(self.again), size), bool)
        self.rises = False

    def step(self, may: list[Words], start: NDArray, end: NDArray, valid: NDArray) -> None:
        """Add steps between states."""
        for literal in self.never:
            valid = valid & _lanes(may[literal ^ 1])[: len(valid)]
        before, after = self.numbers[start], self.numbers[end]
        self.rises |= bool((valid & (after > before)).any())
        same = valid & (after == before)
        self.stays[before[same]] = True
        for stood, literal in zip(self.stood, self.again, strict=True):
            stood[before[same & _lanes(may[literal])[: len(valid)]]] = True

    @property
    def holds(self) -> bool:
        """Whether the ranks show it."""
        return not self.rises and not (self.stays & self.stood.all(axis=0)).any()


def _orders(file: Aiger, numbers: Numbers, count: int) -> list[_Order]:
    outputs = dict(file.outputs)
    fair = [literal for _, literal in file.fairness]
    kinds: list[tuple[list[int], list[int]]] = [([], fair)]
    if LOOP_ENDS in outputs:
        # A loop that goes on infinitely often also ends infinitely often.
        kinds = [([], [*fair, outputs[LOOP_ENDS]]), ([outputs[LOOP_GOES_ON]], fair)]
    live = [(name, literal) for name, literal in file.outputs if name.startswith(LIVE)]
    conditions = [
        (name.removeprefix(LIVE), [literal, *never], again)
        for name, literal in live
        for never, again in kinds
    ]
    ranks = numbers.reshape(len(conditions), count)
    return [_Order(name, row, *rest) for (name, *rest), row in zip(conditions, ranks, strict=True)]


def check(file: Aiger, rows: Words, tried: Numbers, numbers: Numbers) -> list[str]:
    """Names of the claims that are not shown, and sentences about other errors."""
    # The latches of justice properties are last; they are not part of a state, and unknown.
    registers = len(file.latches) - 2 * len(file.justice)
    states = _States(rows)
    orders = _orders(file, numbers, len(rows))
    wrong = {"an initial state is missing"} if not _starts(file, registers, states) else set()

    width = _BATCH // 64
    matrix = np.zeros((2 * (file.first_gate + len(file.gates)), width), np.uint64)
    matrix[1] = _ALL
    may = list(matrix)
    own = 2 * (1 + len(file.inputs))
    matrix[own : 2 * file.first_gate] = _ALL
    after = np.zeros((64 * rows.shape[1], width), np.uint64)
    following = [
        may[literal ^ zero] for _, literal, _ in file.latches[:registers] for zero in (0, 1)
    ]
    lane = np.arange(_BATCH)
    for matters, spread, start in _batches(tried):
        matrix[own : own + 2 * registers] = planes(rows[start])[: 2 * registers]
        for values in itertools.product((0, 1), repeat=len(matters) - spread):
            matrix[2:own] = _ALL
            for n, number in enumerate(matters):
                bits = lane >> n & 1 if n < spread else np.full(_BATCH, values[n - spread])
                may[2 + 2 * number][:] = np.packbits(bits, bitorder="little").view(np.uint64)
                may[3 + 2 * number][:] = ~may[2 + 2 * number]
            for gate, (a, b) in enumerate(file.gates, file.first_gate):
                np.bitwise_and(may[a], may[b], out=may[2 * gate])
                np.bitwise_or(may[a ^ 1], may[b ^ 1], out=may[2 * gate + 1])
            supposed = np.full(width, _ALL)
            for _, literal in file.constraints:
                supposed &= may[literal]
            wrong |= {name for name, literal in file.bad if (may[literal] & supposed).any()}
            for n, row in enumerate(following):
                after[n] = row
            valid = _lanes(supposed)
            end, exists = states.find(rows_of(after))
            if not exists[valid].all():
                wrong.add("a successor state is missing")
            for order in orders:
                order.step(may, start, end, valid)
    return sorted(wrong | {order.name for order in orders if not order.holds})


def _starts(file: Aiger, registers: int, states: _States) -> bool:
    resets = [reset for _, _, reset in file.latches[:registers]]
    free = [n for n, reset in enumerate(resets) if reset == ANY]
    begins = itertools.product((0, 1), repeat=len(free)) if len(free) <= _MOST_FREE else [None]
    rows = []
    for values in begins:
        bits = np.zeros(64 * states.rows.shape[1], np.uint8)
        for n, reset in enumerate(resets):
            bits[2 * n : 2 * n + 2] = (1, 1) if reset == ANY else (reset, 1 - reset)
        for n, value in zip(free, values or (), strict=False):
            bits[2 * n : 2 * n + 2] = (value, 1 - value)
        rows.append(np.packbits(bits, bitorder="little").view(np.uint64))
    return bool(states.find(np.array(rows))[1].all())


def _batches(tried: Numbers) -> Iterator[tuple[list[int], int, NDArray[np.intp]]]:
    """The relevant inputs of some states; how many of them vary over the lanes, the first fastest;
    and the state of each lane. The last state is repeated to fill the lanes."""
    for mask in np.unique(tried):
        matters = [n for n in range(32) if mask >> n & 1]
        numbers = np.flatnonzero(tried == mask)
        for begin in range(0, len(numbers), _BATCH):
            part = numbers[begin : begin + _BATCH]
            spread = min(len(matters), (_BATCH // len(part)).bit_length() - 1)
            lanes = np.repeat(part, 1 << spread)
            yield matters, spread, np.pad(lanes, (0, _BATCH - len(lanes)), mode="edge")


def read(folder: Path) -> dict[str, Any]:
    """The arguments of `check`, from the files of `explore`."""
    file = Aiger.read(folder / "model.aig")
    registers = len(file.latches) - 2 * len(file.justice)
    rows = np.fromfile(folder / "states.bin", np.uint64).reshape(-1, registers // 32 + 1)
    tried, numbers = (np.fromfile(folder / name, np.uint32) for name in _FILES[1:])
    if len(tried) != len(rows):
        raise ValueError("the relevant inputs of some states are missing")
    return {"file": file, "rows": rows, "tried": tried, "numbers": numbers}


def main(folder: Path) -> None:
    """Print the result of `check` as JSON."""
    arguments = read(folder)
    file = arguments["file"]
    live = [name.removeprefix(LIVE) for name, _ in file.outputs if name.startswith(LIVE)]
    answer = {
        "wrong": check(**arguments),
        "claims": [*(name for name, _ in file.bad), *live],
        "suppositions": [name for name, _ in file.constraints],
        "states": len(arguments["rows"]),
    }
    print(json.dumps(answer))
