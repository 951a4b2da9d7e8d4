"""The way of a row of keys and values into an external memory."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from design.arith import ram_depth, times_constant
from design.beat import beat_layout
from design.memories import Purpose, Ram
from design.ports import kv_write_layout
from spec.config import Config
from spec.derived import derive
from spec.kv_layout import kv_layout


class Walk:
    """Through the elements of a row, in order: which is next.

    Members
    -------
    value, head, d
        It is a value, not a key; of which KV head; and which element of that.
    """

    def __init__(self, config: Config, name: str):
        shape = config.shape
        self.value = Signal(name=f"{name}_value")
        self.head = Signal(range(shape.kv_heads), name=f"{name}_head")
        self.d = Signal(range(shape.head_dim), name=f"{name}_d")


class RowWriter(wiring.Component):
    """Queues the elements of a row, stores them one by one, and knows when they are stored.

    Elements come when the datapath has them and cannot be stalled, so the queue holds a whole row.
    They come in the order of the projection's rows: keys before values, head by head, element by
    element. So the queue need not say what they are.

    Latency: an element is offered to the memory 1 cycle after it comes, when none waits before it.
    Throughput: one element a cycle.

    Contract of the caller: never `wr_en_k` and `wr_en_v` together; `row_start` only while `busy`
    is low; writes only while it is high, each element of the row once, in order. Of the memory:
    `i_written` only for a write that was taken and not acknowledged.

    Members
    -------
    row_start : In(1)
        A row of ``kv_dim`` keys and as many values is about to be written, ...
    row_layer, row_pos : In
        ... of this layer, at this position.
    wr_en_k, wr_en_v, wr_head_kv, wr_d, wr_data : In
        The next element of the row.
    k_ready, v_ready : Out(1)
        All keys, all values, of the row are stored; low after `row_start` and after reset.
    busy : Out(1)
        A row is announced and not stored.
    done : Out(1)
        One-cycle pulse: the row is stored.
    fault : Out(1)
        An element comes that is not the next one.
    o_write, i_written : Out(stream), In(1)
        See `ports.kv_members`.

    Inside (for proofs)
    -------------------
    queue, queue_read
        The elements that wait, and the port that they leave by.
    given, sent, stored
        Elements of the row that came, that the memory took, that it stored.
    comes, goes : Walk
        The next element to come, and to go to the memory.
    first_key, first_value, key_place
        Of the row in window 0: the first of its key words, the first of its value words, and its
        place in a key word.
    """

    def __init__(self, config: Config):
        self.config = config
        shape, element = config.shape, signed(derive(config).kv_width)
        super().__init__(
            {
                "row_start": In(1),
                "row_layer": In(beat_layout(config)["layer"].shape),
                "row_pos": In(range(shape.seq_len)),
                "wr_en_k": In(1),
                "wr_en_v": In(1),
                "wr_head_kv": In(range(shape.kv_heads)),
                "wr_d": In(range(shape.head_dim)),
                "wr_data": In(element),
                "k_ready": Out(1),
                "v_ready": Out(1),
                "busy": Out(1),
                "done": Out(1),
                "fault": Out(1),
                "o_write": Out(stream.Signature(kv_write_layout(config))),
                "i_written": In(1),
            }
        )
        self.queue = Memory(shape=element, depth=ram_depth(2 * shape.kv_dim), init=[])
        write = self.queue.write_port()
        read = self.queue.read_port(transparent_for=(write,))
        self.queue_write, self.queue_read = write, read
        count = range(2 * shape.kv_dim + 1)
        self.given = Signal(count)
        self.sent = Signal(count)
        self.stored = Signal(count)
        self.comes = Walk(config, "comes")
        self.goes = Walk(config, "goes")
        self.first_key = Signal.like(self.o_write.payload.address)
        self.first_value = Signal.like(self.o_write.payload.address)
        self.key_place = Signal(exact_log2(derive(config).k_word))

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [Ram.of("queue", self.queue, Purpose.CACHE)]

    def elaborate(self, platform):
        m = Module()
        kv_dim = self.config.shape.kv_dim
        given, sent, stored = self.given, self.sent, self.stored
        m.submodules.queue = self.queue
        write, read = self.queue_write, self.queue_read
        taken = self.o_write.valid & self.o_write.ready
        m.d.comb += [
            write.en.eq(self.wr_en_k | self.wr_en_v),
            write.addr.eq(given),
            write.data.eq(self.wr_data),
            read.en.eq(1),
            read.addr.eq(sent + taken),
            self.o_write.valid.eq(sent != given),
        ]

        row_open = Signal()
        m.d.comb += [
            self.k_ready.eq(stored >= kv_dim),
            self.v_ready.eq(stored == 2 * kv_dim),
            self.busy.eq(row_open & ~self.v_ready),
            self.done.eq(row_open & self.v_ready),
        ]
        with m.If(self.row_start):
            m.d.sync += [row_open.eq(1), given.eq(0), sent.eq(0), stored.eq(0)]
        with m.Else():
            m.d.sync += [
                row_open.eq(self.busy),
                given.eq(given + write.en),
                sent.eq(sent + taken),
                stored.eq(stored + self.i_written),
            ]

        comes = self.comes
        self._step(m, comes, write.en)
        is_next = Cat(self.wr_en_v, self.wr_head_kv, self.wr_d) == Cat(
            comes.value, comes.head, comes.d
        )
        m.d.comb += self.fault.eq(write.en & ~(is_next & self.busy))
        self._step(m, self.goes, taken)
        self._place(m, read.data)
        return m

    def _step(self, m: Module, walk: Walk, step: Value) -> None:
        """Go on by an element where `step` is high."""
        shape = self.config.shape
        value, head, d = walk.value, walk.head, walk.d
        with m.If(self.row_start):
            m.d.sync += [value.eq(0), head.eq(0), d.eq(0)]
        with m.Elif(step):
            m.d.sync += d.eq(d + 1)
            with m.If(d == shape.head_dim - 1):
                m.d.sync += [d.eq(0), head.eq(head + 1)]
                with m.If(head == shape.kv_heads - 1):
                    m.d.sync += [head.eq(0), value.eq(~value)]

    def _place(self, m: Module, element: Value) -> None:
        """Where `element` goes: address and strobe; its data stands in every place."""
        shape, derived, layout = self.config.shape, derive(self.config), kv_layout(self.config)
        key_shift, value_shift = exact_log2(derived.k_word), exact_log2(derived.v_word)
        head_bits, word_bits = exact_log2(layout.span), exact_log2(layout.word)
        payload = self.o_write.payload
        value, head, d = self.goes.value, self.goes.head, self.goes.d
        first_key, first_value, key_place = self.first_key, self.first_value, self.key_place
        with m.If(self.row_start):
            base = times_constant(self.row_layer, layout.layer_beats)
            m.d.sync += [
                first_key.eq(base + times_constant(self.row_pos >> key_shift, shape.head_dim)),
                first_value.eq(base + layout.key_beats + self.row_pos),
                key_place.eq(self.row_pos),
            ]

        window = times_constant(head >> head_bits, layout.window_beats)
        word = times_constant(d >> value_shift, shape.seq_len)
        place = Signal(word_bits)
        m.d.comb += [
            payload.address.eq(window + Mux(value, first_value + word, first_key + d)),
            place.eq(Mux(value, d[:value_shift], key_place)),
            payload.strobe.eq(1 << Cat(place, head[:head_bits])),
            payload.data.eq(Cat(element for _ in range(layout.elements))),
        ]
