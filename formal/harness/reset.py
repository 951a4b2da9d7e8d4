"""Models of the whole decoder for what a reset leaves behind."""

from amaranth.hdl import Fragment

from design.decoder import Decoder
from formal.harness.assembled import of_layers
from formal.harness.inside import parts, registers, shown_by_memories
from formal.model import Model
from properties.reset import ResetForgets, ResetIsPowerOn
from spec.config import CacheBacking, Config


def _decoder(config: Config, external: bool) -> tuple[Decoder, Fragment]:
    dut = Decoder(config.with_cache(CacheBacking.EXTERNAL) if external else config)
    return dut, Fragment.get(dut, None)


def power_on(config: Config, *, external: bool = False, layers: int = 0) -> Model:
    """The decoder as it is, or with `layers` layers, and every register of it."""
    dut, inside = _decoder(of_layers(config, layers), external)
    stages = (dut.projection, dut.score, dut.value)
    theorem = ResetIsPowerOn(
        dut,
        registers=[register for part in parts(inside) for register in registers(part)],
        working=[dut.token_sequencer.busy, *(stage.o.valid for stage in stages)],
        under_way=[
            dut.issue.o.valid,
            dut.array.o.valid,
            dut.buffer.o.valid,
            dut.drain.o.valid,
            dut.drain.scores.valid,
            dut.writeback.o.valid,
            dut.writeback.scaled.valid,
        ],
    )
    return Model(dut, theorem, inside=inside)


def forgets(config: Config, *, external: bool = False) -> Model:
    """The decoder as it is, and what its memories show at every port."""
    dut, inside = _decoder(config, external)
    theorem = ResetForgets(
        dut, shown=shown_by_memories(inside), argmax=dut.argmax, ended=dut.token_sequencer.ended
    )
    return Model(dut, theorem, inside=inside, outputs=theorem.outputs())
