"""Where the cycles of a token go: those that it spends in each stage, by position.

As for `sim.cycles`, weights and tokens do not matter.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from sim.cycles import case_name
from sim.observed import ObservedRtl, snapshot_bytes
from sim.rtl_decoder import Step
from spec.config import Config, named
from spec.schedule import image
from tools.files import write_atomically
from tools.provenance import provenance

#: What is measured, and the number of positions.
CASE = named("tales260k").with_lanes(64)
POSITIONS = 256
FILE = Path(__file__).parent.parent / "build" / "sim" / "stages.json"


class StagedRtl(ObservedRtl):
    """Counts the cycles of the last token by stage: the state of the layer's sequencer while it
    runs, else that of the token's."""

    spent: Counter[str]

    def feed(self, feed) -> Step:
        """As `ObservedRtl.feed`."""
        self.spent = Counter()
        return super().feed(feed)

    def _see(self, taken: np.ndarray) -> None:
        super()._see(taken)
        names = list(self.machines.values())
        states = snapshot_bytes(taken)[:, :2]  # of token and layers
        pairs, counts = np.unique(states, axis=0, return_counts=True)
        for (token, layers), count in zip(pairs, counts, strict=True):
            of_token, of_layer = names[0][token], names[1][layers]
            stage = of_layer if of_token == "Layers" and of_layer != "Idle" else of_token
            self.spent[stage] += int(count)


def measured(config: Config, positions: int) -> dict[str, list[int]]:
    """The cycles in each stage at every position, in the order of their first use."""
    zeros = np.zeros((image(config).beats, config.geometry.lanes), np.dtype("<i2"))
    stages: dict[str, list[int]] = {}
    rtl = StagedRtl(config, zeros, "traced", quiet=True)
    with rtl:
        for position in range(min(positions, config.shape.seq_len)):
            rtl.step(0)
            for stage in rtl.spent.keys() - stages.keys():
                stages[stage] = [0] * position
            for stage, cycles in stages.items():
                cycles.append(rtl.spent[stage])
    return dict(sorted(stages.items()))


def write(stages: dict[str, list[int]], path: Path = FILE) -> None:
    """Write the record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**provenance(), "name": case_name(CASE), "stages": stages}
    write_atomically(path, json.dumps(content) + "\n")
