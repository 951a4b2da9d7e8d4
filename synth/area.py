"""Resources and speed of a decoder on a device."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

from design.decoder import multipliers
from spec.config import Config
from spec.derived import derive
from synth import timing
from synth.cycles import cycles_per_token
from synth.devices import Device
from synth.floorplan import with_floorplan
from synth.global_nets import with_global_nets
from synth.netlist import TOP, decoder_rtlil
from synth.pins import with_pins
from synth.tools import OutOfTime, Report, ToolError, cached, run, version

#: The clock constraint of the placer in MHz, and the target.
CLOCK = 80
#: Delay in ns assumed for other signals than clocks in the clock network; nextpnr counts none.
NETWORK_NS = 3
#: Number of longest paths to keep.
PATHS = 40
#: Default limit of place and route, in seconds.
LIMIT = 30 * 60.0

_SCRIPT = """\
read_rtlil design.il
hierarchy -top {top}
{mark}{synth} -top {top} -json netlist.json
"""


class _GivenUp(Exception):
    """Place and route took too long; `result` is that of synthesis."""

    def __init__(self, result: dict[str, Any]):
        super().__init__()
        self.result = result


def measure(
    config: Config, device: Device, seed: int, report: Report, limit: float = LIMIT
) -> dict[str, Any]:
    """A record of area.json: the cost of `config` on `device`.

    Cached by the inputs of the tools; cycles are measured only for placed designs. Place and route
    stops after `limit` seconds, which gives a result that is not cached.
    """
    name = f"{config.name}-{config.geometry.lanes}"
    report(f"{name}: elaboration", "")
    text = decoder_rtlil(config)
    script = _SCRIPT.format(top=TOP, mark=timing.MARK, synth=device.synth)
    options = [*device.nextpnr, "--seed", str(seed), "--freq", str(CLOCK)] if device.nextpnr else []
    tools = [version("yosys")] + [version("nextpnr-ecp5")] * bool(options)

    def make(folder: Path) -> dict[str, Any]:
        return _implement(config, device, text, script, options, folder, report, limit)

    # `derive` because the floorplan depends on it.
    parts = [text, script, *options, *tools, repr(device), repr(derive(config))]
    try:
        costs = cached(
            f"{name}-{device.name}-area", parts, make,
            by=__name__, but=("spec", "design", "sim", "golden"),
        )  # fmt: skip
    except _GivenUp as given_up:
        costs = given_up.result
    record = {
        "config": config.name,
        "lanes": config.geometry.lanes,
        "device": device.name,
        "multipliers": multipliers(config),
        "tools": tools,
        **costs,
    }
    if device.nextpnr:
        report(f"{name}: cycles per token", "")
        record |= {"seed": seed, "clock_mhz": CLOCK, **cycles_per_token(config, text)}
    if "fmax_mhz" in record:
        record["tokens_per_s"] = record["fmax_mhz"] * 1e6 / record["cycles_per_token"]
    return record


def _implement(
    config: Config,
    device: Device,
    text: str,
    script: str,
    options: list[str],
    folder: Path,
    report: Report,
    limit: float,
) -> dict[str, Any]:
    name = f"{config.name}-{config.geometry.lanes}"
    (folder / "design.il").write_text(text)
    (folder / "script.ys").write_text(script)
    runs = {}
    step = f"{name}, {device.name}: synthesis"
    runs["yosys"] = run("yosys", ["-s", "script.ys"], folder, step=step, report=report)
    if "conflicting drivers" in (folder / "yosys.log").read_text(errors="replace"):
        raise ToolError(f"{step}: yosys reports a net with two drivers, see `safe_names`")
    module = _module(folder / "netlist.json")
    cells = Counter(cell["type"] for cell in module["cells"].values())
    cells.pop("$scopeinfo", None)
    result: dict[str, Any] = {"used": device.count(cells), "cells": dict(sorted(cells.items()))}
    if options:
        step = f"{name}, {device.name}: place and route"
        planned = with_floorplan(with_global_nets(module), config, device)
        pinned, extra = with_pins(planned)
        (folder / "pinned.json").write_text(json.dumps({"modules": {TOP: pinned}}))
        try:
            runs["nextpnr-ecp5"] = run(
                "nextpnr-ecp5", _nextpnr(options), folder, step=step, report=report, limit=limit
            )
        except OutOfTime:
            finished = {tool: dataclasses.asdict(tool_run) for tool, tool_run in runs.items()}
            raise _GivenUp(result | {"given_up_after_s": limit, "runs": finished}) from None
        result |= _placed(folder, pinned, device)
        for resource, number in dataclasses.asdict(extra).items():
            result["used"][resource] -= number
    for path in folder.iterdir():
        if path.suffix != ".log":
            path.unlink()  # netlists are large, and useless after the next change of the design
    return result | {
        "runs": {tool: dataclasses.asdict(tool_run) for tool, tool_run in runs.items()}
    }


def _module(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))["modules"][TOP]


def _nextpnr(options: list[str]) -> list[str]:
    return [
        *options, "--json", "pinned.json", "--lpf-allow-unconstrained", "--timing-allow-fail",
        "--report", "report.json", "--sdf", "delays.sdf",
    ]  # fmt: skip


def _placed(folder: Path, module: dict[str, Any], device: Device) -> dict[str, Any]:
    """Fmax, utilisation and the longest paths of the placed design."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    (clock,) = report["fmax"].values()
    names = timing.Names(_module(folder / "names.json"), module)
    delays = timing.read_sdf(folder / "delays.sdf")
    longest, achieved = next(timing.longest_paths(delays, names))["ns"], clock["achieved"]
    if round(longest * 1000) != round(1e6 / achieved):
        raise ToolError(f"longest path {longest} ns, nextpnr says {1000 / achieved:.3f} ns")
    paths = list(timing.longest_paths(delays, names, network=1000 * NETWORK_NS))
    counts = {resource: report["utilization"][cell] for resource, cell in device.placed.items()}
    return {
        "used": {resource: count["used"] for resource, count in counts.items()},
        "available": {resource: count["available"] for resource, count in counts.items()},
        "fmax_mhz": min(achieved, 1000 / paths[0]["ns"]),
        "paths": paths[:PATHS],
    }
