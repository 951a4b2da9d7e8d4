"""The decoder in Amaranth's simulator, with the stimuli of the C++ driver."""

import numpy as np
from amaranth.sim import Simulator

from sim.build import decoder_component
from spec.config import Config

_PERIOD = 1e-6  # seconds; any will do


class PythonSimulation:
    """Decodes one sampled token, the first of a text; `image` (beats, lanes) as for `RtlDecoder`.

    The constructor compiles the design to Python; only `advance` is timed.
    """

    def __init__(self, config: Config, image: np.ndarray):
        self._words = [int.from_bytes(row.tobytes(), "little") for row in image]
        self._decoder = decoder_component(config)
        self._simulator = Simulator(self._decoder)
        self._simulator.add_clock(_PERIOD)
        self._simulator.add_testbench(self._drive)
        self._first = config.shape.first_id
        self._cycles = 0
        self.advance(2)

    def advance(self, cycles: int) -> int:
        """Simulate some more clock cycles; returns their number."""
        self._cycles += cycles
        self._simulator.run_until(self._cycles * _PERIOD)
        return cycles

    async def _drive(self, ctx) -> None:
        """Every stream is ready, with a weight beat in every cycle."""
        dut = self._decoder
        weights = dut.i_weights
        for stream in (dut.o_fetch, dut.o_token, dut.o_logits):
            ctx.set(stream.ready, 1)
        ctx.set(dut.i_token.valid, 1)
        ctx.set(dut.i_token.payload, {"id": self._first, "first": 1, "sample": 1})
        beats: list[int] = []
        while True:
            ctx.set(weights.valid, bool(beats))
            if beats:
                ctx.set(weights.payload.as_value(), self._words[beats[-1]])
                if ctx.get(weights.ready):
                    beats.pop()
            if ctx.get(dut.o_fetch.valid):
                first = ctx.get(dut.o_fetch.payload.address)
                run = range(first, first + ctx.get(dut.o_fetch.payload.beats))
                beats = [*reversed(run), *beats]
            if ctx.get(dut.i_token.ready):
                await ctx.tick()
                ctx.set(dut.i_token.valid, 0)
            else:
                await ctx.tick()
