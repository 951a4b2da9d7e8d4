"""The RTL in Amaranth's own simulator, clocked by the C++ driver through a callback."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amaranth import *
from amaranth.hdl import Value
from amaranth.sim import Simulator

from golden.case import Case
from golden.image import pack
from golden.quantise import Model
from sim.build import FLAGS, Build, decoder_component, include_all
from sim.foreign import CHUNK, build_foreign, ports_of, shim
from sim.harness import Harness
from sim.opinions.cost import estimated_cycles
from sim.rtl_decoder import RtlDecoder
from spec.config import Config
from tools.compiler import compile_library, find_compiler
from tools.errors import BadInput

#: Most clock cycles that a case may take, at about a thousand a second.
MOST_CYCLES = 20_000
_HEAD = """\
using Exchange = void (*)(int phase, const uint32_t *inputs, uint32_t *outputs);
static Exchange exchange;
#pragma GCC visibility push(default)
extern "C" void vd_attach(Exchange callback) { exchange = callback; }
#pragma GCC visibility pop
"""
_BODY = """\
  Exchange call = exchange;
  void eval() {{ call(0, p_{first_in}.data, p_{first_out}.data); }}
  void commit() {{ call(1, p_{first_in}.data, p_{first_out}.data); }}"""


class Packed(Elaboratable):
    """`Harness` with all inputs in one signal and all outputs in another, as the chunks lie in the
    memory of the driver."""

    def __init__(self, harness: Harness):
        self.harness = harness
        named = {port.name: port for port in harness.ports}
        ins, outs = ports_of(harness)
        self._ins, self._outs = ([_padded(named[name]) for name, _ in some] for some in (ins, outs))
        self.inputs = Signal(sum(map(len, self._ins)))
        self.outputs = Signal(sum(map(len, self._outs)))

    def elaborate(self, platform):
        m = Module()
        m.submodules.top = self.harness
        m.d.comb += [Cat(self._ins).eq(self.inputs), self.outputs.eq(Cat(self._outs))]
        return m


def _padded(port: Signal) -> Value:
    return Cat(port, Signal(-len(port) % CHUNK, name=f"above_{port.name}"))


class Interpreted(RtlDecoder):
    """A simulation whose clock cycles Amaranth computes."""

    def __init__(self, config: Config, image: Any, stalls: int | None):
        self._packed = Packed(Harness(config, decoder_component(config), traced=True))
        self._simulator = Simulator(self._packed)
        self._simulator.add_testbench(self._drive)
        made = _build(config, self._packed.harness)
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._callback = kind(self._exchange)  # kept alive, as the driver calls it
        self._phase, self._inputs, self._outputs = 0, 0, 0
        ctypes.CDLL(str(made.library)).vd_attach(self._callback)
        component = self._packed.harness.component
        super().__init__(config, image, "quick", stalls, component, made=made)

    def _exchange(self, phase: int, inputs: int, outputs: int) -> None:
        """Called by the driver: settle with the clock low (0), or raise the clock (1)."""
        size = len(self._packed.inputs) // 8
        self._phase = phase
        self._inputs = int.from_bytes(ctypes.string_at(inputs, size), "little")
        self._simulator.advance()
        size = len(self._packed.outputs) // 8
        ctypes.memmove(outputs, self._outputs.to_bytes(size, "little"), size)

    async def _drive(self, context) -> None:
        packed = self._packed
        while True:
            # The clock is the lowest input; the driver always holds it high.
            context.set(packed.inputs, self._inputs & ~1 | self._phase)
            if self._phase == 0:
                self._outputs = context.get(packed.outputs)
            await context.delay(1e-6)


def _build(config: Config, harness: Harness) -> Build:
    def make(folder: Path, compiler: Sequence[str]) -> None:
        first_in, first_out = (ports[0][0].replace("_", "__") for ports in ports_of(harness))
        body = _BODY.format(first_in=first_in, first_out=first_out)
        (folder / "shim.h").write_text(shim(harness, _HEAD, body))
        include_all(folder / "main.cc", "ports.h", "shim.h", "driver.cc")
        compile_library(find_compiler(), FLAGS["quick"], "main.cc", folder)

    ports = repr(ports_of(harness))
    records = len(list(harness.component.trace))
    return build_foreign(config, "amaranth", "quick", records, (ports,), make, __name__)


def interpreted(model: Model, case: Case) -> Interpreted:
    """Small cases only, without resets."""
    if case.resets:
        raise BadInput(
            "the case resets the decoder, and Amaranth's simulator is built without reset"
        )
    cycles = estimated_cycles(model, case)
    if cycles > MOST_CYCLES:
        raise BadInput(
            f"about {cycles:,} cycles, more than the {MOST_CYCLES:,} that Amaranth's simulator runs"
        )
    return Interpreted(model.config, pack(model), case.stalls)
