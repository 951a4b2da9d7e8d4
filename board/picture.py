"""Simulates the first cycles of a token on the streams of a core, as a timing diagram."""

from dataclasses import dataclass, field

import numpy as np
from amaranth.sim import Simulator

from board.templates import template
from design.decoder import Decoder
from spec.config import Config

#: Number of cycles, and the cycle in which the weight stream pauses.
CYCLES, PAUSE = 26, 15


@dataclass
class Wave:
    """A line of the diagram: a value in each cycle; None if it is meaningless."""

    name: str
    bus: bool = False
    values: list[int | str | None] = field(default_factory=list)


def first_cycles(config: Config, image: np.ndarray, token: int) -> list[Wave]:
    """The streams when `token` begins a text; weights arrive immediately, except for one pause.

    Runs the decoder in Amaranth's simulator; `image` is (beats, lanes).
    """
    decoder = Decoder(config)
    waves = {
        name: Wave(name, bus)
        for name, bus in (
            ("i_token.valid", False), ("i_token.ready", False), ("i_token.payload.id", True),
            ("o_fetch.valid", False), ("o_fetch.ready", False), ("o_fetch.payload.address", True),
            ("o_fetch.payload.beats", True), ("i_weights.valid", False),
            ("i_weights.ready", False), ("i_weights.payload", True),
        )
    }  # fmt: skip

    async def drive(context):
        offered = True
        runs: list[tuple[int, int]] = []  # (beat, beats left) of fetch requests
        context.set(decoder.i_token.payload.id, token)
        context.set(decoder.i_token.payload.first, 1)
        for cycle in range(CYCLES):
            weights_valid = bool(runs) and cycle != PAUSE
            beat, left = runs[0] if runs else (0, 0)
            takes_run = len(runs) < 2
            context.set(decoder.o_fetch.ready, int(takes_run))
            context.set(decoder.i_token.valid, int(offered))
            context.set(decoder.i_weights.valid, int(weights_valid))
            if weights_valid:
                for lane in range(config.geometry.lanes):
                    context.set(decoder.i_weights.payload[lane], int(image[beat, lane]))
            fetch = decoder.o_fetch.payload
            ready, fetches, weights_ready, address, beats = (
                context.get(value)
                for value in (
                    decoder.i_token.ready, decoder.o_fetch.valid, decoder.i_weights.ready,
                    fetch.address, fetch.beats,
                )
            )  # fmt: skip
            values = (
                int(offered), ready, token if offered else None,
                fetches, int(takes_run), address if fetches else None, beats if fetches else None,
                int(weights_valid), weights_ready, f"beat {beat}" if weights_valid else None,
            )  # fmt: skip
            for wave, value in zip(waves.values(), values, strict=True):
                wave.values.append(value)
            offered = offered and not ready
            if weights_valid and weights_ready:
                runs[:1] = [(beat + 1, left - 1)] if left > 1 else []
            if fetches and takes_run:
                runs.append((address, beats))
            await context.tick()

    simulator = Simulator(decoder)
    simulator.add_clock(1e-8)
    simulator.add_testbench(drive)
    simulator.run()
    return list(waves.values())


def drawn(waves: list[Wave], first: int = 0, wide: int = 44) -> str:
    """`waves` as SVG for an HTML page: cycles from `first`, each so many units `wide`."""
    rows = [{"name": wave.name, "bus": wave.bus, "runs": _runs(wave)} for wave in waves]
    return template("timing.svg.j2").render(
        rows=rows, cycles=len(waves[0].values), first=first, wide=wide
    )


def _runs(wave: Wave) -> list[tuple[int, int, int | str | None]]:
    """(first cycle, number of cycles, value) of runs of equal values."""
    runs: list[tuple[int, int, int | str | None]] = []
    for cycle, value in enumerate(wave.values):
        if runs and runs[-1][2] == value:
            begin, length, _ = runs[-1]
            runs[-1] = (begin, length + 1, value)
        else:
            runs.append((cycle, 1, value))
    return runs
