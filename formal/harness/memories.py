"""Models of the units that end the way of a result: activation memories, logits, writeback."""

from amaranth import *
from amaranth.hdl import Fragment, ShapeLike, signed
from amaranth.utils import ceil_log2

from design import argmax
from design.activations import PROMISE, ActivationBuffer
from design.argmax import Argmax
from design.arith import ram_depth
from design.biases import Biases
from design.operand import operand_layout
from design.writeback import DIRECT, Writeback, any_of, for_residual
from formal.harness.stage import look_inside, queue_inside
from formal.model import Model
from properties.activations import ReadWhileItFills
from properties.argmax import FirstOfTheGreatest, LastIsNew, LogitOrder, LogitRoom
from properties.biases import BiasesKept
from properties.writeback import ResultsInTime
from spec.config import Config
from spec.derived import derive


def activations(config: Config, *, vector: str, depth: int = 0) -> Model:
    """The buffer of the residual, the attention, or the hidden `vector`, with `depth` elements
    where that is given: a search writes them all. Adds to its memories a combinational port at the
    chosen element."""
    shape, n = config.shape, config.numerics
    sizes: dict[str, tuple[int, ShapeLike]] = {
        "residual": (shape.dim, operand_layout(n.residual)),
        "attention": (shape.q_dim, signed(n.attention.width)),
        "hidden": (shape.hidden, operand_layout(n.ffn)),
    }
    elements, element = sizes[vector]
    foldable = vector == "residual" and derive(config).slots > 1
    buffer = ActivationBuffer(depth=depth or elements, shape=element, foldable=foldable)
    inside, hidden = look_inside(buffer)
    theorem = ReadWhileItFills(buffer, written=hidden["written"], promise=PROMISE)
    halves = 2 if buffer.foldable else 1
    length = buffer.depth // halves
    glue = Module()
    stored = []
    for half in range(halves):
        memory: Fragment = inside.find_subfragment(f"memory_{half}")
        address = Signal(ceil_log2(ram_depth(length)), name=f"stored_address_{half}")
        data = Signal.like(Value.cast(buffer.wr_data), name=f"stored_{half}")
        glue.d.comb += address.eq(theorem.element - half * length)
        memory.read_port(domain="comb", addr=address, data=data, en=C(1, 1), transparent_for=())
        stored.append(data)
    glue.d.comb += theorem.stored.eq(Mux(theorem.element >= length, stored[-1], stored[0]))
    return Model(buffer, theorem, inside=inside, glue=glue)


def biases_kept(config: Config) -> Model:
    """Adds to the memory a combinational port at the chosen row."""
    dut = Biases(config)
    inside, glue = Fragment.get(dut, None), Module()
    theorem = BiasesKept(dut, rows=dut.rows)
    inside.find_subfragment("memory").read_port(
        domain="comb", addr=theorem.row, data=theorem.stored, en=C(1, 1), transparent_for=()
    )
    return Model(dut, theorem, inside=inside, glue=glue)


def logit_room(config: Config, *, bare: bool = False) -> Model:
    """Logits that left the drain when there was room are on their way through `Writeback`; `bare`
    does not look into the queue: a planted bug must show at the ports."""
    dut = Argmax(config)
    inside = Fragment.get(dut, None)
    queue = inside.find_subfragment("queue").origins[0]
    level = C(0) if bare else queue.level
    theorem = LogitRoom(dut, level=level, depth=queue.depth, delay=argmax._ON_THEIR_WAY)
    return Model(dut, theorem, inside=inside)


def logit_order(config: Config) -> Model:
    """Adds to the queue's memory a port at the place of the logit that is looked at."""
    dut = Argmax(config)
    inside = Fragment.get(dut, None)
    queue = queue_inside(inside, "queue")
    theorem = LogitOrder(dut, vocab=config.shape.vocab, depth=queue.depth)
    glue = queue.shown_to(theorem, holds=theorem.waiting)
    return Model(dut, theorem, inside=inside, glue=glue)


def last_is_new(config: Config) -> Model:
    """Adds to the queue's memory a port for each of its places."""
    dut = Argmax(config)
    inside = Fragment.get(dut, None)
    queue = queue_inside(inside, "queue")
    glue = Module()
    stored = Signal(queue.depth)
    words = dut.o_logits.payload.shape()
    for n in range(queue.depth):
        place = Signal.like(queue.first, name=f"place_{n}")
        word = Signal(words, name=f"word_{n}")
        glue.d.comb += [place.eq(queue.first + n), stored[n].eq(word.last)]
        queue.storage.read_port(
            domain="comb", addr=place, data=word.as_value(), en=C(1, 1), transparent_for=()
        )
    theorem = LastIsNew(dut, vocab=config.shape.vocab, stored=stored)
    counts = queue.consistent & (queue.level == theorem.waiting)
    glue.d.comb += theorem.consistent.eq(counts)
    return Model(dut, theorem, inside=inside, glue=glue)


def first_of_the_greatest(config: Config) -> Model:
    """The unit as it is, and the value it keeps for the best."""
    dut = Argmax(config)
    inside, hidden = look_inside(dut)
    theorem = FirstOfTheGreatest(dut, vocab=config.shape.vocab, greatest=hidden["greatest"])
    return Model(dut, theorem, inside=inside)


def results_in_time(config: Config) -> Model:
    """The unit as it is; how long a logit is on its way is what `Argmax` counts on, but for the
    cycle in which the drain decides."""
    dut = Writeback(config)
    theorem = ResultsInTime(
        dut,
        direct=any_of(dut.i.sink, DIRECT),
        direct_out=for_residual(dut.o),
        delay=argmax._ON_THEIR_WAY - 1,
    )
    return Model(dut, theorem)
