"""The model of the angles that are computed for each token."""

import dataclasses

from amaranth import *
from amaranth.hdl import Fragment

from design.cordic import CordicAngles
from formal.harness.inside import states
from formal.model import Model
from properties.cordic import AnglesComputed
from spec.config import Config
from spec.fixed import SQ


def angles_computed(config: Config, *, brief: bool = False) -> Model:
    """Adds to each memory a port at the chosen pair. `brief` has one pair, few rotations, and two
    positions at least: a search goes through them all."""
    if brief:
        seq_len = max(config.shape.seq_len, 2)
        shape = dataclasses.replace(config.shape, head_dim=2, seq_len=seq_len)
        numerics = dataclasses.replace(config.numerics, rope=SQ(2, 4))
        config = dataclasses.replace(config, shape=shape, numerics=numerics)
    dut, glue = CordicAngles(config), Module()
    memories = (dut.phases, dut.steps, dut.rotations)
    ports = [memory.read_port(domain="comb") for memory in memories]
    inside = Fragment.get(dut, None)
    state, constants = states(dut.fsm), dut.constants
    before_store = constants.iterations + 1
    progress = Signal(range(before_store + 1))
    for name, over in {"Turn": 1 + dut.iteration, "Store": before_store}.items():
        with glue.If(state[name]):
            glue.d.comb += progress.eq(over)
    running = Cat(state[name] for name in ("Begin", "Turn", "Store"))
    theorem = AnglesComputed(
        dut,
        seq_len=config.shape.seq_len,
        pairs=dut.pairs,
        phase_bits=constants.phase_bits,
        cycles=before_store + 1,
        progress=progress,
        exists=running.any() & (~state["Turn"] | (dut.iteration < constants.iterations)),
        turning=dut.turning,
        first=dut.first,
    )
    held = (theorem.phase, theorem.step, theorem.rotation)
    for port, word in zip(ports, held, strict=True):
        glue.d.comb += [port.addr.eq(theorem.pair), word.eq(port.data)]
    return Model(dut, theorem, inside=inside, glue=glue)
