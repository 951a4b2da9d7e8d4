"""Models of where results go: activation memories, logits, writeback."""

from amaranth import *
from amaranth.hdl import Fragment, ShapeLike, signed

from design.activations import ActivationBuffer
from design.argmax import Argmax
from design.biases import Biases
from design.operand import operand_layout
from design.writeback import DIRECT, Writeback, any_of, for_residual
from formal.harness.inside import queue_inside
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
    ports = [memory.read_port(domain="comb") for memory in buffer.memories]
    theorem = ReadWhileItFills(buffer, written=buffer.written)
    length = buffer.depth // len(ports)
    glue = Module()
    glue.d.comb += [
        port.addr.eq(theorem.element - half * length) for half, port in enumerate(ports)
    ]
    left, right = (Value.cast(port.data) for port in (ports[0], ports[-1]))
    glue.d.comb += theorem.stored.eq(Mux(theorem.element >= length, right, left))
    return Model(buffer, theorem, glue=glue)


def biases_kept(config: Config) -> Model:
    """Adds to the memory a combinational port at the chosen row."""
    dut, glue = Biases(config), Module()
    port = dut.memory.read_port(domain="comb")
    theorem = BiasesKept(dut, rows=dut.rows)
    glue.d.comb += [port.addr.eq(theorem.row), theorem.stored.eq(port.data)]
    return Model(dut, theorem, glue=glue)


def logit_room(config: Config, *, bare: bool = False) -> Model:
    """Logits that left the drain when there was room are on their way through `Writeback`; `bare`
    does not look into the queue: a planted bug must show at the ports."""
    dut = Argmax(config)
    level = C(0) if bare else dut.queue.level
    theorem = LogitRoom(dut, level=level, depth=dut.queue.depth, delay=dut.on_their_way)
    return Model(dut, theorem)


def logit_order(config: Config) -> Model:
    """Adds to the queue's memory a port at the place of the logit that is looked at."""
    dut = Argmax(config)
    inside = Fragment.get(dut, None)
    queue = queue_inside(inside, dut.queue)
    theorem = LogitOrder(dut, vocab=config.shape.vocab, depth=queue.depth)
    glue = queue.shown_to(theorem, holds=theorem.waiting)
    return Model(dut, theorem, inside=inside, glue=glue)


def last_is_new(config: Config) -> Model:
    """Adds to the queue's memory a port for each of its places."""
    dut = Argmax(config)
    inside = Fragment.get(dut, None)
    queue = queue_inside(inside, dut.queue)
    glue = Module()
    stored = Signal(queue.depth)
    words = dut.o_logits.payload.shape()
    for n in range(queue.depth):
        place = Signal.like(queue.first, name=f"place_{n}")
        word = Signal(words, name=f"word_{n}")
        glue.d.comb += [place.eq(queue.first + n), stored[n].eq(word.last)]
        queue.show(place, word.as_value())
    theorem = LastIsNew(dut, vocab=config.shape.vocab, stored=stored)
    counts = queue.consistent & (queue.level == theorem.waiting)
    glue.d.comb += theorem.consistent.eq(counts)
    return Model(dut, theorem, inside=inside, glue=glue)


def first_of_the_greatest(config: Config) -> Model:
    """The unit as it is, and the value it keeps for the best."""
    dut = Argmax(config)
    theorem = FirstOfTheGreatest(dut, vocab=config.shape.vocab, greatest=dut.greatest)
    return Model(dut, theorem)


def results_in_time(config: Config) -> Model:
    dut = Writeback(config)
    theorem = ResultsInTime(
        dut,
        direct=any_of(dut.i.p.sink, DIRECT),
        direct_out=for_residual(dut.o.p),
        delay=dut.scaled_latency,
    )
    return Model(dut, theorem)
