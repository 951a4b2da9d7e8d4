"""The way of a row of keys and values into an external memory."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from design.arith import ram_depth, times_constant
from design.beat import beat_layout
from design.config import Config
from design.derived import derive
from design.kv_layout import kv_layout
from design.ports import kv_write_layout


class RowWriter(wiring.Component):
    """Queues the elements of a row, stores them one by one, and knows when they are stored.

    Elements come when the datapath has them and cannot be stalled; the queue holds a whole row.

    Latency: an element is offered to the memory 1 cycle after it comes, when none waits before it.
    Throughput: one element a cycle.

    Contract of the caller: as of `kv_cache.KVRamOwner`; all writes are to the row announced last.
    Of the memory: `i_written` only for a write that was taken and not acknowledged.

    Members
    -------
    row_start : In(1)
        A row of ``kv_dim`` keys and as many values is about to be written, ...
    row_layer, row_pos : In
        ... of this layer, at this position.
    wr_en_k, wr_en_v, wr_head_kv, wr_d, wr_data : In
        An element of the row.
    k_ready, v_ready : Out(1)
        All keys, all values, of the row are stored; low after reset and after `row_start`.
    busy : Out(1)
        A row is announced and not stored.
    done : Out(1)
        One-cycle pulse: the row is stored.
    o_write, i_written : Out(stream), In(1)
        See `ports.kv_members`.
    """

    def __init__(self, config: Config):
        self.config = config
        shape = config.shape
        super().__init__(
            {
                "row_start": In(1),
                "row_layer": In(beat_layout(config)["layer"].shape),
                "row_pos": In(range(shape.seq_len)),
                "wr_en_k": In(1),
                "wr_en_v": In(1),
                "wr_head_kv": In(range(shape.kv_heads)),
                "wr_d": In(range(shape.head_dim)),
                "wr_data": In(signed(derive(config).kv_width)),
                "k_ready": Out(1),
                "v_ready": Out(1),
                "busy": Out(1),
                "done": Out(1),
                "o_write": Out(stream.Signature(kv_write_layout(config))),
                "i_written": In(1),
            }
        )
        self.queue = Memory(
            shape=data.StructLayout(
                {
                    "value": 1,
                    "head": range(shape.kv_heads),
                    "d": range(shape.head_dim),
                    "data": signed(derive(config).kv_width),
                }
            ),
            depth=ram_depth(2 * shape.kv_dim),
            init=[],
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.config.shape
        row = range(2 * shape.kv_dim + 1)
        keys, values = (Signal(range(shape.kv_dim + 1), name=name) for name in ("keys", "values"))
        given, sent, stored = (Signal(row, name=name) for name in ("given", "sent", "stored"))
        # How many must be stored until the last key, the last value, is.
        keys_end, values_end = Signal(row), Signal(row)

        m.submodules.queue = self.queue
        write = self.queue.write_port()
        read = self.queue.read_port(transparent_for=(write,))
        taken = self.o_write.valid & self.o_write.ready
        m.d.comb += [
            write.en.eq(self.wr_en_k | self.wr_en_v),
            write.addr.eq(given),
            write.data.value.eq(self.wr_en_v),
            write.data.head.eq(self.wr_head_kv),
            write.data.d.eq(self.wr_d),
            write.data.data.eq(self.wr_data),
            read.en.eq(1),
            read.addr.eq(sent + taken),
            self.o_write.valid.eq(sent != given),
        ]

        row_open = Signal()
        row_stored = self.k_ready & self.v_ready
        m.d.comb += [
            self.k_ready.eq((keys == shape.kv_dim) & (stored >= keys_end)),
            self.v_ready.eq((values == shape.kv_dim) & (stored >= values_end)),
            self.busy.eq(row_open & ~row_stored),
            self.done.eq(row_open & row_stored),
        ]
        with m.If(self.row_start):
            m.d.sync += [counter.eq(0) for counter in (keys, values, given, sent, stored)]
            m.d.sync += row_open.eq(1)
        with m.Else():
            m.d.sync += [
                keys.eq(keys + self.wr_en_k),
                values.eq(values + self.wr_en_v),
                given.eq(given + write.en),
                sent.eq(sent + taken),
                stored.eq(stored + self.i_written),
            ]
            with m.If(self.wr_en_k):
                m.d.sync += keys_end.eq(given + 1)
            with m.If(self.wr_en_v):
                m.d.sync += values_end.eq(given + 1)
            with m.If(self.done):
                m.d.sync += row_open.eq(0)
        self._place(m, read.data)
        return m

    def _place(self, m: Module, entry: data.View) -> None:
        """Where the entry goes: address, strobe, and its data in every place."""
        shape, derived, layout = self.config.shape, derive(self.config), kv_layout(self.config)
        key_shift, value_shift = exact_log2(derived.k_word), exact_log2(derived.v_word)
        head_bits, word_bits = exact_log2(layout.span), exact_log2(layout.word)
        payload = self.o_write.payload
        # Of the row in window 0: the first of its key words, the first of its value words.
        first_key, first_value = Signal.like(payload.address), Signal.like(payload.address)
        key_place = Signal(key_shift)
        with m.If(self.row_start):
            base = times_constant(self.row_layer, layout.layer_beats)
            m.d.sync += [
                first_key.eq(base + times_constant(self.row_pos >> key_shift, shape.head_dim)),
                first_value.eq(base + layout.key_beats + self.row_pos),
                key_place.eq(self.row_pos),
            ]

        window = times_constant(entry.head >> head_bits, layout.window_beats)
        word = times_constant(entry.d >> value_shift, shape.seq_len)
        place = Signal(range(layout.word))
        m.d.comb += [
            payload.address.eq(window + Mux(entry.value, first_value + word, first_key + entry.d)),
            place.eq(Mux(entry.value, entry.d[:value_shift], key_place)),
            payload.strobe.eq(1 << Cat(place[:word_bits], entry.head[:head_bits])),
            payload.data.eq(Cat(entry.data for _ in range(layout.elements))),
        ]
