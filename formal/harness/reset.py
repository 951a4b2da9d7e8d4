"""Models of the whole decoder for what a reset leaves behind."""

from amaranth.hdl import Fragment

from formal.harness.assembled import decoder_of
from formal.harness.inside import parts, registers, shown_by_memories
from formal.model import Model
from properties.reset import ResetForgets, ResetIsPowerOn
from spec.config import Config


def power_on(config: Config, *, external: bool = False, layers: int = 0) -> Model:
    """Shows the theorem every register."""
    dut = decoder_of(config, external=external, layers=layers)
    inside = Fragment.get(dut, None)
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
    """Shows the theorem what the memories show at every port."""
    dut = decoder_of(config, external=external)
    inside = Fragment.get(dut, None)
    theorem = ResetForgets(
        dut, shown=shown_by_memories(inside), argmax=dut.argmax, ended=dut.token_sequencer.ended
    )
    return Model(dut, theorem, inside=inside, outputs=theorem.outputs())
