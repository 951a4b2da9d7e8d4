"""Estimates the cost of an imagined configuration with a given memory, and its limit.

Weights, keys and values come from one memory, and each stage reads its own while it runs, without
prefetching. Keys and values are read once for each block of heads that needs them.
"""

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass

from benchmarks.growth.cycles import Latencies, Stage, stages, token_cycles
from spec.config import Config, Geometry
from tools.errors import BadInput

#: Limits: the multipliers, the drain's one result per cycle, memory for weights, memory for keys
#: and values, and latencies.
ARRAY, DRAIN, WEIGHTS, KV, LATENCY = "array", "drain", "weights", "KV", "latency"


class ImaginedGeometry(Geometry):
    """Any power of two of lanes, even more than a decoder supports."""

    def __post_init__(self) -> None:
        if self.lanes < 1 or self.lanes & (self.lanes - 1):
            raise BadInput(f"lanes = {self.lanes} must be a power of two")


def imagined(config: Config, lanes: int, weight_bits: int) -> Config:
    """`config` with other lanes and weights."""
    numerics = dataclasses.replace(config.numerics, weight_bits=weight_bits)
    return dataclasses.replace(config, geometry=ImaginedGeometry(lanes=lanes), numerics=numerics)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The memory bandwidth in GB (10**9 bytes) per second, and the decoder's clock in MHz."""

    bandwidth: float
    mhz: float

    def __post_init__(self) -> None:
        for name, value in (("bandwidth", self.bandwidth), ("mhz", self.mhz)):
            if not 0 < value < math.inf:
                raise BadInput(f"--{name} {value:g} must be positive and finite")

    @property
    def bits_per_cycle(self) -> float:
        """Bits per clock cycle."""
        return 8e3 * self.bandwidth / self.mhz


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A token of a configuration at a position with a memory: its cycles, and their limits."""

    config: Config
    pos: int
    memory: Memory
    cycles: int
    shares: dict[str, float]
    """Shares of the cycles by limit."""

    @property
    def tokens_per_s(self) -> float:
        """At the clock of `memory`."""
        return 1e6 * self.memory.mhz / self.cycles

    @property
    def limit(self) -> str:
        """The limit with the largest share."""
        return max(self.shares, key=lambda name: self.shares[name])


def _slowest(stage: Stage, bits_per_cycle: float) -> tuple[str, float]:
    memory = KV if stage.name in ("SCORE", "VALUE") else WEIGHTS
    needs = {ARRAY: stage.beats, DRAIN: stage.results, memory: stage.bits / bits_per_cycle}
    return max(needs.items(), key=lambda need: need[1])


def outlook(config: Config, pos: int, memory: Memory, latencies: Latencies) -> Outlook:
    """A stage takes the time of its slowest resource; latencies are the remaining cycles."""
    if not 0 <= pos < config.shape.seq_len:
        raise BadInput(f"position {pos} is beyond seq_len = {config.shape.seq_len}")
    cycles = token_cycles(config, pos, latencies, memory.bits_per_cycle)
    spent: Counter[str] = Counter()
    for stage in stages(config, pos, latencies):
        limit, needed = _slowest(stage, memory.bits_per_cycle)
        spent[limit] += math.ceil(needed)
    # A late drain overlaps the next stage: then no cycles may remain.
    spent[LATENCY] = max(0, cycles - spent.total())
    shares = {name: value / spent.total() for name, value in spent.items()}
    return Outlook(config=config, pos=pos, memory=memory, cycles=cycles, shares=shares)


def balanced_lanes(memory: Memory, weight_bits: int) -> float:
    """Lanes that use exactly the memory's bandwidth for weights; more would wait."""
    return memory.bits_per_cycle / weight_bits


def bytes_read(config: Config, pos: int, latencies: Latencies) -> tuple[float, float]:
    """Bytes that a token reads: (weights, keys and values), including the padding of passes."""
    weights = kv = 0
    for stage in stages(config, pos, latencies):
        if stage.name in ("SCORE", "VALUE"):
            kv += stage.bits
        else:
            weights += stage.bits
    return weights / 8, kv / 8
