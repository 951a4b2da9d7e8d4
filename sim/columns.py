"""Compiles any module and runs it on columns of values: one for each input and output port.

For units that are run on all of their inputs, where a Python call per cycle would be too slow.
"""

import contextlib
import ctypes
import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth import *
from amaranth.back import rtlil

from tools.compiler import compile_library, find_compiler, runtime_headers
from tools.yosys import run_yosys

_SCRIPT = """\
read_rtlil design.il
hierarchy -top top
proc
flatten
opt_expr
opt_merge
opt_clean
write_cxxrtl -O6 -g0 design.cc
"""
_FLAGS = ("-DNDEBUG", "-std=c++20", "-w", "-O1")
#: An evaluation computes the outputs of a cycle and its next state, as in `sim/driver/driver.cc`.
_MAIN = """\
#include "design.cc"
using Top = cxxrtl_design::p_top;
template <size_t B> uint64_t get(const cxxrtl::value<B> &value) {{
  return value.template get<uint64_t>();
}}
template <size_t B> uint64_t get(const cxxrtl::wire<B> &wire) {{ return get(wire.curr); }}
extern "C" Top *make() {{ return new Top; }}
extern "C" void drop(Top *top) {{ delete top; }}
extern "C" void run(Top &top, uint64_t cycles, const uint64_t *in, uint64_t *out) {{
  for (uint64_t cycle = 0; cycle < cycles; cycle++) {{
    {put}
    for (bool high : {{false, true}}) {{
      top.p_clk.set<bool>(high);
      do top.eval(); while (top.commit());
      if (!high) {{
        {get}
      }}
    }}
  }}
}}
"""


class Columns:
    """The module `m`, compiled, with `inputs` and `outputs` of up to 64 bits by name.

    Raises :class:`tools.yosys.BuildError` when a tool fails.
    """

    def __init__(self, m: Module, inputs: Mapping[str, Signal], outputs: Mapping[str, Signal]):
        self.inputs, self.outputs = dict(inputs), dict(outputs)
        clock = ClockDomain("sync", reset_less=True)
        m.domains += clock
        ports = {f"i_{name}": (port, None) for name, port in self.inputs.items()}
        ports |= {f"o_{name}": (port, None) for name, port in self.outputs.items()}
        ports["clk"] = (clock.clk, None)
        text = rtlil.convert(m, name="top", ports=ports, emit_src=False)
        put = (
            f"top.p_i__{name.replace('_', '__')}.set<uint64_t>(in[{n} * cycles + cycle]);"
            for n, name in enumerate(self.inputs)
        )
        get = (
            f"out[{n} * cycles + cycle] = get(top.p_o__{name.replace('_', '__')});"
            for n, name in enumerate(self.outputs)
        )
        with tempfile.TemporaryDirectory(prefix="veridecode-") as name:
            folder = Path(name)
            (folder / "design.il").write_text(text)
            run_yosys(_SCRIPT, folder)
            main = _MAIN.format(put="\n    ".join(put), get="\n        ".join(get))
            (folder / "main.cc").write_text(main)
            flags = (*_FLAGS, f"-I{runtime_headers()}", "-I.")
            compile_library(find_compiler(), flags, "main.cc", folder)
            library = ctypes.CDLL(str(folder / "decoder.so"))
        library.make.restype = ctypes.c_void_p
        library.make.argtypes, library.drop.argtypes = [], [ctypes.c_void_p]
        library.drop.restype = library.run.restype = None
        library.run.argtypes = [ctypes.c_void_p, ctypes.c_uint64, *[ctypes.c_void_p] * 2]
        self._library = library

    def run(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One cycle for each row of `columns`, from power-up; inputs not named stay 0.

        Returns the outputs of each cycle, sign-extended where the port is signed.
        """
        with self.power_up() as running:
            return running.run(columns)

    @contextlib.contextmanager
    def power_up(self) -> Iterator["Running"]:
        """A simulation at its first cycle."""
        top = self._library.make()
        try:
            yield Running(self.inputs, self.outputs, functools.partial(self._library.run, top))
        finally:
            self._library.drop(top)


@dataclass(frozen=True)
class Running:
    """A simulation that goes on cycle by cycle, while its context lasts."""

    inputs: Mapping[str, Signal]
    outputs: Mapping[str, Signal]
    _run: Callable[[int, int, int], None]

    def cycle(self, **inputs: int) -> dict[str, int]:
        """One cycle: the outputs in it; inputs not named are 0."""
        columns = {name: np.array([inputs.get(name, 0)]) for name in self.inputs}
        return {name: int(column[0]) for name, column in self.run(columns).items()}

    def run(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As `Columns.run`, from where it is."""
        cycles = max(len(column) for column in columns.values())
        inputs = np.zeros((len(self.inputs), cycles), np.uint64)
        for row, (name, port) in enumerate(self.inputs.items()):
            if name in columns:
                column = np.asarray(columns[name], np.int64) & ((1 << len(port)) - 1)
                inputs[row, : len(column)] = column.astype(np.uint64)
        outputs = np.empty((len(self.outputs), cycles), np.uint64)
        self._run(cycles, inputs.ctypes.data, outputs.ctypes.data)
        result = {}
        for row, (name, port) in enumerate(self.outputs.items()):
            values = outputs[row].astype(np.int64)
            sign = 1 << (len(port) - 1)
            result[name] = (values ^ sign) - sign if port.shape().signed else values
        return result
