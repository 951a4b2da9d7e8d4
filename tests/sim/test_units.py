"""Every non-linear unit against golden; a bug planted in one is seen."""

import json

from click.testing import CliRunner

import design.interpolate
import design.softmax
from design.requantize import round_guarded, shift_right
from sim import __main__ as command
from sim.units import Units
from spec.config import RopeBy, named

ROPES = [f"rope by {rope_by.value}" for rope_by in RopeBy]


def test_every_unit_is_golden_and_the_command_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "UNITS", tmp_path / "units.json")
    ran = CliRunner().invoke(command.main, ["units", "--config", "nano"], standalone_mode=False)
    assert ran.return_value == 0, ran.output
    records = json.loads((tmp_path / "units.json").read_text())["units"]
    units = [record["unit"] for record in records]
    assert units == ["rsqrt", "reciprocal", "sigmoid", "silu", "exp2", *ROPES]
    assert all(record["good"] and record["different"] == 0 for record in records)
    assert all(0 < record["ulp"] < 4 for record in records)


def test_an_off_by_one_is_seen_in_every_unit_that_has_it(monkeypatch):
    def off_by_one(value, shift, rounding):
        return shift_right(value, shift, rounding) + 1

    monkeypatch.setattr(design.interpolate, "shift_right", off_by_one)
    monkeypatch.setattr(design.softmax, "round_guarded", lambda *of: round_guarded(*of) ^ 1)
    rows = {row.unit: row for row in Units(named("nano")).rows()}
    for unit in ("rsqrt", "reciprocal", "sigmoid", "exp2"):
        assert rows[unit].different == rows[unit].values
        assert not rows[unit].good
    assert rows["silu"].different and all(rows[rope].good for rope in ROPES)
