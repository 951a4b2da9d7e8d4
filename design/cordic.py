"""Cosine and sine of every pair of a head at the token's position, computed for each token."""

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from design.angles import AnglesSignature, rotation_layout, show_pairs
from design.arith import ram_depth
from design.memories import Purpose, Ram
from spec.config import Config
from spec.cordic import GUARD_BITS, Cordic, cordic


def constants_of(config: Config) -> Cordic:
    """What is known of the angles before any token comes."""
    shape = config.shape
    return cordic(shape.rope_rates, shape.seq_len, config.numerics.rope)


class CordicAngles(wiring.Component):
    """The angles of one position, one pair after the other; ports in `AnglesSignature`.

    When a token begins, the phase of each pair grows by its step, and is turned to by shifts and
    additions (`spec.cordic`). What comes out stays in a small memory, for all layers.

    Latency: ``pairs * (iterations + 2)`` cycles.

    Inside (for proofs)
    -------------------
    phases, rotations
        Memories: the phase of each pair at this position; its cosine and sine.
    fsm, turning, iteration, first
        What happens, with which pair; micro-rotations that are over; this is position 0.
    pair
        Which pair is next at the output.
    """

    def __init__(self, config: Config):
        super().__init__(AnglesSignature(config))
        self.constants = constants_of(config)
        self.pairs = len(self.constants.steps)
        self.latency = self.pairs * (self.constants.iterations + 2)
        depth, phase = ram_depth(self.pairs), unsigned(self.constants.phase_bits)
        self.rotations = Memory(shape=rotation_layout(config), depth=depth, init=[])
        self.phases = Memory(shape=phase, depth=depth, init=[])
        self.steps = Memory(shape=phase, depth=depth, init=self.constants.steps)
        self.turning = Signal(range(self.pairs))
        self.iteration = Signal(range(self.constants.iterations))
        self.first = Signal()
        self.pair = Signal(range(self.pairs))

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [
            Ram.of("rotations", self.rotations, Purpose.ACTIVATION),
            Ram.of("phases", self.phases, Purpose.ACTIVATION),
            Ram.of("steps", self.steps, Purpose.TABLE),
        ]

    def elaborate(self, platform):
        m = Module()
        m.submodules.rotations, m.submodules.phases = self.rotations, self.phases
        m.submodules.steps = self.steps
        constants, turning = self.constants, self.turning
        iteration, first = self.iteration, self.first
        quarter = constants.phase_bits - 2
        x, y, z = (Signal(signed(constants.fraction + 2), name=name) for name in "xyz")
        quadrant = Signal(2)

        old, step = self.phases.read_port(), self.steps.read_port()
        new, done = self.phases.write_port(), self.rotations.write_port()
        phase, coming = new.data, Signal.like(turning)
        m.d.sync += turning.eq(coming)
        m.d.comb += [coming.eq(turning), old.addr.eq(coming), step.addr.eq(coming)]
        m.d.comb += [new.addr.eq(turning), done.addr.eq(turning)]
        m.d.comb += phase.eq(Mux(first, 0, old.data + step.data))
        angle = Array(constants.arctangents)[iteration]
        with m.FSM() as self.fsm:
            with m.State("Idle"):
                m.d.comb += coming.eq(0)
                m.d.sync += first.eq(self.first_token)
                with m.If(self.next_token | self.first_token):
                    m.next = "Begin"
            with m.State("Begin"):
                m.d.comb += new.en.eq(1)
                m.d.sync += [
                    x.eq(constants.start),
                    y.eq(0),
                    z.eq((phase[:quarter] << constants.fraction) >> quarter),
                    quadrant.eq(phase[quarter:]),
                    iteration.eq(0),
                ]
                m.next = "Turn"
            with m.State("Turn"):
                back = z < 0
                m.d.sync += [
                    x.eq(Mux(back, x + (y >> iteration), x - (y >> iteration))),
                    y.eq(Mux(back, y - (x >> iteration), y + (x >> iteration))),
                    z.eq(Mux(back, z + angle, z - angle)),
                    iteration.eq(iteration + 1),
                ]
                with m.If(iteration == constants.iterations - 1):
                    m.next = "Store"
            with m.State("Store"):
                m.d.comb += [done.en.eq(1), coming.eq(turning + 1)]
                m.next = "Begin"
                with m.If(turning == self.pairs - 1):
                    m.next = "Idle"
        m.d.comb += self.ready.eq(self.fsm.ongoing("Idle"))

        cos, sin = ((value + (1 << (GUARD_BITS - 1))) >> GUARD_BITS for value in (x, y))
        quadrants = ((cos, sin), (-sin, cos), (-cos, -sin), (sin, -cos))
        for number, rotation in enumerate(quadrants):
            with m.If(quadrant == number):
                m.d.comb += [done.data.cos.eq(rotation[0]), done.data.sin.eq(rotation[1])]

        read = self.rotations.read_port()
        m.d.comb += read.addr.eq(self.pair)
        show_pairs(m, self, read.data)
        return m
