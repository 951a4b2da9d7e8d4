"""The cycles of every token, kept in a file: a change that makes any of them differ must say so.

What a token costs depends on its position alone, not on weights or on what is chosen (the theorem
`leaks.timing`), so the weights are zeros and every token is 0.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sim.build import Variant
from sim.rtl_decoder import RtlDecoder
from spec.config import Config, named
from spec.schedule import image
from tools.files import write_atomically

#: By configuration and lanes, the cycles of a sampled token at each position.
FILE = Path(__file__).with_name("cycles.json")
#: How they are simulated: what builds fast, or is built for the story anyway.
VARIANTS: dict[str, Variant] = {"nano": "quick", "tales260k": "traced"}
CASES = [named(name).with_lanes(lanes) for name in VARIANTS for lanes in (8, 64)]


def case_name(config: Config) -> str:
    """Its entry in the file."""
    return f"{config.name}, {config.geometry.lanes} lanes"


def measured(config: Config) -> list[int]:
    """Cycles of a sampled token at every position, without stalls."""
    zeros = np.zeros((image(config).beats, config.geometry.lanes), np.dtype("<i2"))
    with RtlDecoder(config, zeros, VARIANTS[config.name], quiet=True) as rtl:
        return [rtl.step(0).cycles for _ in range(config.shape.seq_len)]


def accepted() -> dict[str, list[int]]:
    """What the file says."""
    return json.loads(FILE.read_text())


def accept(found: dict[str, list[int]]) -> None:
    """Write the file: those that were found in place of what it said of them."""
    lines = (
        f"{json.dumps(name)}: {json.dumps(cycles)}" for name, cycles in (accepted() | found).items()
    )
    write_atomically(FILE, "{\n" + ",\n".join(lines) + "\n}\n")


def changes(name: str, before: Sequence[int] | None, now: Sequence[int]) -> str:
    """What changed, in a sentence; empty if nothing did."""
    if before is None:
        return f"cycles of {name}: not in the file"
    if len(before) != len(now):
        return f"cycles of {name}: {len(before)} positions in the file, {len(now)} measured"
    runs = [
        (difference, [position for position, _ in run])
        for difference, run in itertools.groupby(
            enumerate(b - a for a, b in zip(before, now, strict=True)), key=lambda each: each[1]
        )
        if difference
    ]
    if not runs:
        return ""
    shown = [
        f"{difference:+,} at position {at[0]}" + f" to {at[-1]}" * (len(at) > 1)
        for difference, at in runs[:3]
    ]
    more = f" and {len(runs) - 3} more runs" if len(runs) > 3 else ""
    total = f"{sum(before):,} to {sum(now):,} in all"
    return f"cycles of {name} changed: {', '.join(shown)}{more}; {total}"
