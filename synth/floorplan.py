"""Places the block RAMs of the cache and the multipliers of the array on a device.

Otherwise the placer scatters them, and their wires, over the die. Their connections are simple: the
words of a KV head go only to the lanes of its query heads, and the same bits of all layers to the
same lanes. So every KV head gets its own part of the die: keys in a row of block RAMs, values in
the row below, the same bits of all layers side by side; and in the adjacent row of multipliers the
lanes, in the order in which they use those bits. The middle stays free for logic that serves all
lanes (with all heads side by side, nextpnr takes longer to route 64 lanes, and fmax is lower).
Everything else is left to the placer.
"""

import re
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from spec.config import Config
from spec.derived import ceil_div, derive
from synth.devices import Device
from synth.netlist import plain

_BANK = re.compile(r"cache\.layer_(\d+)\.(key|value)_bank_(\d+)\.(\d+)\.(\d+)")
_LANE = re.compile(r"array\.product_(\d+)_.*MULT18X18D.*")


def floorplan(cells: Collection[str], config: Config, device: Device) -> dict[str, str]:
    """The sites of `cells`, names of block RAMs and multipliers, as far as they get one.

    Empty if the cache is external, or does not fit in the rows of `device`.
    """
    shape, derived = config.shape, derive(config)
    banks = _banks(cells)
    width = shape.layers * max(map(len, banks.values()), default=0)
    bands = device.bands
    band_heads = ceil_div(shape.kv_heads, max(1, len(bands)))
    columns = min((len(row) for band in bands for row in band), default=0)
    if not width or band_heads * width > columns:
        return {}

    def left(head: int) -> int:
        """The first column of a KV head; half of a band's heads are at each edge."""
        number = head % band_heads
        return number * width + (columns - band_heads * width) * (2 * number >= band_heads)

    sites = {}
    for (layer, kind, head), rams in banks.items():
        band = bands[head // band_heads]
        row = band.values if kind == "value" else band.keys
        for part, name in enumerate(rams):
            sites[name] = row[left(head) + part * shape.layers + layer]
    for head, lanes in _lanes(cells, derived.slots, derived.per_slot, shape.group).items():
        if len(lanes) <= width:
            for number, name in enumerate(lanes):
                column = left(head) + number * width // len(lanes)
                sites[name] = bands[head // band_heads].lanes[column]
    return sites


def _banks(cells: Collection[str]) -> dict[tuple[int, str, int], list[str]]:
    """The block RAMs of each bank, by layer, kind and KV head, lowest bits first."""
    parts = defaultdict(list)
    for name in cells:
        if match := _BANK.fullmatch(plain(name)):
            layer, kind, head, *part = match.groups()
            parts[int(layer), kind, int(head)].append((tuple(map(int, part)), name))
    return {bank: [name for _, name in sorted(rams)] for bank, rams in parts.items()}


def _lanes(cells: Collection[str], slots: int, per_slot: int, group: int) -> dict[int, list[str]]:
    """The multipliers of the lanes that first serve each KV head, by element of its words."""
    parts = defaultdict(list)
    for name in cells:
        if match := _LANE.fullmatch(plain(name)):
            slot, element = divmod(int(match[1]), per_slot)
            parts[slot // group].append((element, slot, name))
    return {head: [name for *_, name in sorted(lanes)] for head, lanes in parts.items()}


def with_floorplan(module: dict[str, Any], config: Config, device: Device) -> dict[str, Any]:
    """`module`, a netlist in the JSON format of yosys, with the sites of `floorplan`."""
    kinds = {*device.cells["bram"], *device.cells["dsp"]}  # a small bank is in LUTs
    cells = [name for name, cell in module["cells"].items() if cell["type"] in kinds]
    sites = floorplan(cells, config, device)
    placed = {
        name: {**cell, "attributes": {**cell["attributes"], "BEL": sites[name]}}
        for name, cell in module["cells"].items()
        if name in sites
    }
    return {**module, "cells": {**module["cells"], **placed}}
