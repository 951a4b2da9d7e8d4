"""Models of the KV cache in an external memory.

Each takes `eager`, for the search of witnesses and bugs at sizes where they lie too deep for a
solver: the caller and the memory then do what they may at once, on the first row of the first
layer, and nothing is claimed but the theorem, so that a bug must break that, and no invariant. (Of
values, the first of that row is looked at.)
"""

from typing import Any

from amaranth import *

from design.arith import times_constant
from design.external_cache import ExternalCache
from design.kv_reader import ReadState
from formal.harness.inside import states
from formal.harness.kv_external_inside import Inside
from formal.model import Model
from properties.kv_element import Tensor
from properties.kv_external import KvRow
from properties.kv_external_buffer import KvExternalBuffer
from properties.kv_external_last_write import KvExternalLastWrite
from properties.kv_external_requests import KvExternalRequests
from properties.kv_external_row import KvExternalAnswered, KvExternalRowDone
from spec.config import CacheBacking, Config
from spec.derived import derive


def external(config: Config) -> ExternalCache:
    """The external cache of `config`."""
    return ExternalCache(config.with_cache(CacheBacking.EXTERNAL))


def _model(inside: Inside, theorem: Any, glue: Module, eager: bool, stalls: bool = False) -> Model:
    """The model; `eager` drives what comes in, but for the data (with `stalls` for the memory's
    `ready`s, too)."""
    cache, row = inside.cache, inside.row
    driven: list[str] = []
    if eager:
        config = inside.config
        shape, derived = config.shape, derive(config)
        head, d = Signal.like(cache.wr_head_kv), Signal.like(cache.wr_d)
        step = Signal(range(shape.head_dim + derived.v_words))
        block = Signal.like(cache.rd_block)
        keys = row.given < shape.kv_dim
        reads_key = step < shape.head_dim
        read = row.started < row.claimed
        inputs = {
            "row_start": ~row.open,
            "row_layer": C(0),
            "row_pos": C(0),
            "wr_en_k": row.open & keys,
            "wr_en_v": row.open & ~keys & (row.given < row.elements),
            "wr_layer": C(0),
            "wr_head_kv": head,
            "wr_pos": C(0),
            "wr_d": d,
            "rd_claim": cache.rd_ready,
            "rd_start_k": read & reads_key,
            "rd_start_v": read & ~reads_key,
            "rd_en": C(1),
            "rd_layer": C(0),
            "rd_block": block,
            "rd_t": C(0),
            "rd_d": Mux(reads_key, step, times_constant(step - shape.head_dim, derived.v_word)),
            "i_kv_words__valid": row.delivered < row.requested,
            "i_kv_written": row.acknowledged < row.accepted,
        }
        if not stalls:
            inputs |= {"o_kv_read__ready": C(1), "o_kv_write__ready": C(1)}
        for name, value in inputs.items():
            port = cache
            for part in name.split("__"):
                port = getattr(port, part)
            glue.d.comb += Value.cast(port).eq(value)
        driven += inputs
        with glue.If(row.writes):
            glue.d.sync += d.eq(d + 1)
            with glue.If(d == shape.head_dim - 1):
                glue.d.sync += [d.eq(0), head.eq(Mux(head == shape.kv_heads - 1, 0, head + 1))]
        with glue.If(read):
            glue.d.sync += step.eq(step + 1)
            with glue.If(step == shape.head_dim + derived.v_words - 1):
                glue.d.sync += [step.eq(0), block.eq(block + 1)]
    return Model(cache, theorem, glue=glue, driven=driven, resets=not eager)


def last_write(config: Config, *, tensor: Tensor, eager: bool = False) -> Model:
    """Adds a combinational port to the queue and to the buffer, at the chosen element."""
    cache = external(config)
    queue = cache.writer.queue.read_port(domain="comb")
    buffer = cache.reader.buffer.read_port(domain="comb")
    inside = Inside(cache)
    known = None if eager else inside.invariants
    first_value = eager and tensor is Tensor.VALUE
    theorem = KvExternalLastWrite(inside.row, tensor, known, first_value=first_value)
    element, row = theorem.element, inside.row
    glue = Module()
    glue.d.comb += [
        queue.addr.eq(element.index),
        theorem.queued.eq(queue.data),
        theorem.head_of_queue.eq(cache.writer.queue_read.data),
        buffer.addr.eq(cache.reader.buffer_read.addr + (element.word - row.started)),
        theorem.buffered.eq(buffer.data[element.lane]),
        theorem.found.eq(cache.reader.word[element.lane]),
        theorem.found_block.eq(cache.block),
    ]
    return _model(inside, theorem, glue, eager)


def requests(config: Config, *, eager: bool = False) -> Model:
    """Adds a combinational port to the queue, at the next element to be taken."""
    cache = external(config)
    queue = cache.writer.queue.read_port(domain="comb")
    inside = Inside(cache)
    theorem = KvExternalRequests(inside.row, None if eager else inside.invariants)
    glue = Module()
    glue.d.comb += [
        queue.addr.eq(inside.row.accepted),
        theorem.queued.eq(queue.data),
        theorem.head_of_queue.eq(cache.writer.queue_read.data),
    ]
    return _model(inside, theorem, glue, eager, stalls=True)


def buffer(config: Config, *, eager: bool = False) -> Model:
    """Adds a combinational port to the buffer, at the chosen word."""
    cache = external(config)
    port = cache.reader.buffer.read_port(domain="comb")
    inside = Inside(cache)
    known = None if eager else inside.invariants
    reader = cache.reader
    theorem = KvExternalBuffer(inside.row, reader.word, reader.buffer.depth, known)
    glue = Module()
    glue.d.comb += [
        port.addr.eq(reader.buffer_read.addr + (theorem.number - inside.row.started)),
        theorem.buffered.eq(port.data[theorem.lane]),
    ]
    return _model(inside, theorem, glue, eager)


def row_done(config: Config, *, eager: bool = False) -> Model:
    """Shows the theorem the writer's own account of the row."""
    cache = external(config)
    inside = Inside(cache)
    known = None if eager else inside.of_writer
    writer = cache.writer
    theorem = KvExternalRowDone(inside.row, writer.busy, writer.done, known)
    return _model(inside, theorem, Module(), eager)


def answered(config: Config, *, eager: bool = False) -> Model:
    """Shows the theorem how many steps the reader makes beside its requests."""
    cache = external(config)
    inside = Inside(cache)
    blocks, words = derive(cache.config).head_blocks, derive(cache.config).v_words
    reader = cache.reader

    def steps(row: KvRow) -> Value:
        # One for each run behind this one, one from planning to asking, one to the end.
        runs = times_constant(blocks - 1 - reader.block, 1 + words) + Mux(
            reader.values, words - 1 - reader.value_word, words
        )
        state = states(reader.fsm)
        return Mux(state[ReadState.IDLE], 0, runs + state[ReadState.PLAN])

    known = None if eager else inside.invariants
    most = blocks * (1 + words) + 1
    theorem = KvExternalAnswered(inside.row, steps, most, known)
    return _model(inside, theorem, Module(), eager)
