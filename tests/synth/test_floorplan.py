"""What is put where on a device, and what is left to the placer."""

import re
from collections import defaultdict

import pytest

from design.decoder import Decoder
from spec.config import CacheBacking, Config, named
from spec.derived import derive
from synth.devices import ECP5, ICE40, Device
from synth.floorplan import floorplan, with_floorplan
from synth.gate import cache_of

STORIES = named("stories260k")
CASES = [STORIES, STORIES.with_lanes(64), named("nano")]


def _cells(config: Config, rams: int = 4) -> list[str]:
    """Cells as yosys calls them, Amaranth's numbers included, of banks of `rams` block RAMs."""
    banks = [
        re.sub(r"layer_(\d+)", lambda layer: f"{layer[0]}${100 + int(layer[1])}", memory.name)
        for memory in cache_of(Decoder(config).rams)
        if "bank" in memory.name
    ]
    lanes = range(config.geometry.lanes)
    return [
        *(f"{bank}.0.{part}" for bank in banks for part in range(rams)),
        *(f"array.product_{lane}_TRELLIS_FF_Q_7_DI_MULT18X18D_P14" for lane in lanes),
        "scalar_0.product_TRELLIS_FF_Q_DI_MULT18X18D_P14",
        "array.product_0_TRELLIS_FF_Q",
        "rope.angles.table.0.0",
    ]


def _module(cells: list[str], kind: str) -> dict:
    """A netlist of `cells`, all of one kind."""
    made = {name: {"type": kind, "attributes": {"src": "x"}} for name in cells}
    return {"ports": {}, "cells": made, "netnames": {}}


def _place(site: str) -> tuple[int, int]:
    x, y = re.match(r"X(\d+)/Y(\d+)/", site).groups()
    return int(x), int(y)


@pytest.mark.parametrize("config", CASES)
def test_every_bank_and_lane_has_a_site_of_its_own_of_its_kind(config: Config):
    cells = _cells(config)
    sites = floorplan(cells, config, ECP5)
    assert set(sites) == {cell for cell in cells if "bank" in cell or "_DI_MULT18X18D" in cell} - {
        "scalar_0.product_TRELLIS_FF_Q_DI_MULT18X18D_P14"
    }
    assert len(set(sites.values())) == len(sites)
    for cell, site in sites.items():
        assert ("EBR" in site) == ("bank" in cell)


@pytest.mark.parametrize("config", CASES)
def test_a_lane_lies_among_the_block_rams_whose_words_it_takes(config: Config):
    sites, derived = floorplan(_cells(config), config, ECP5), derive(config)
    columns = defaultdict(list)
    for cell, site in sites.items():
        if match := re.search(r"bank_(\d+)", cell):
            columns[int(match[1])].append(_place(site)[0])
    for lane in range(config.geometry.lanes):
        head = lane // derived.per_slot // config.shape.group
        (site,) = (sites[cell] for cell in sites if f"product_{lane}_" in cell)
        assert min(columns[head]) - 4 <= _place(site)[0] <= max(columns[head]) + 4


def test_the_same_bits_of_all_layers_are_neighbours():
    sites = floorplan(_cells(STORIES), STORIES, ECP5)
    for part in range(4):
        places = [
            _place(sites[f"cache.layer_{layer}${100 + layer}.key_bank_1.0.{part}"])
            for layer in range(5)
        ]
        assert len({y for _, y in places}) == 1
        assert max(x for x, _ in places) - min(x for x, _ in places) <= 13


@pytest.mark.parametrize(
    ("config", "device", "rams"),
    [
        (STORIES, ICE40, 4),  # a device without bands
        (STORIES, ECP5, 6),  # two heads of 6 x 5 do not fit beside each other into 52
        (STORIES.with_cache(CacheBacking.EXTERNAL), ECP5, 4),
    ],
)
def test_what_does_not_fit_is_left_to_the_placer(config: Config, device: Device, rams: int):
    assert floorplan(_cells(config, rams), config, device) == {}


def test_sites_become_attributes_and_nothing_else_changes():
    module = _module(_cells(STORIES), "DP16KD")
    planned = with_floorplan(module, STORIES, ECP5)
    assert planned.keys() == module.keys() and list(planned["cells"]) == list(module["cells"])
    sites = floorplan(module["cells"], STORIES, ECP5)
    for name, cell in planned["cells"].items():
        expected = {"src": "x"} | ({"BEL": sites[name]} if name in sites else {})
        assert cell == {"type": "DP16KD", "attributes": expected}
    assert module == _module(_cells(STORIES), "DP16KD")


def test_a_bank_in_lut_ram_is_left_to_the_placer():
    module = _module(_cells(named("nano")), "TRELLIS_DPR16X4")
    assert with_floorplan(module, named("nano"), ECP5) == module
