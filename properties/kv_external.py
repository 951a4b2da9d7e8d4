"""What surrounds an external KV cache: the passes that read it, and the memory behind its port.

The caller's half is a *row*: it is announced, its elements are written in order, and its passes
read word after word. `Passes` numbers these words, from the definition of the passes alone. The
memory's half is one element of it, chosen by the solver, with what the port promises and no more.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from amaranth import *
from amaranth.utils import exact_log2

from design.arith import times_constant
from properties.dialect import CHOSEN, Stated, Theorem, implies
from properties.kv_element import Tensor
from spec.config import Config
from spec.derived import derive
from spec.kv_layout import kv_layout

#: Anything with the signature of `design.external_cache.ExternalCache`.
Cache = Any
#: `Theorem.suppose` or `Theorem.claim`.
Statement = Callable[[str, Value, str], Any]
#: What an induction must know about the inside; without it, as a search for bugs wants it, nothing
#: is claimed but the theorem.
Inside: TypeAlias = "Callable[[KvRow], Mapping[str, Value]] | None"


def product(value: Value, factor: Value) -> Value:
    """Shifts and adds: what a solver handles better than a multiplier."""
    total: Value = C(0, 1)
    for bit in range(len(value)):
        total = total + (Mux(value[bit], factor, 0) << bit)
    return total


def entry(table: Sequence[int], index: Value) -> Value:
    """``table[index]``. Of an `Array` yosys might make a ROM, which an induction finds changed."""
    found: Value = C(0, 1)
    for n, each in enumerate(table):
        found = found | Mux(index == n, C(each), 0)
    return found


class Passes:
    """The words that the passes of a row read, numbered in the order in which they are read."""

    def __init__(self, config: Config, pos: Value):
        shape, derived = config.shape, derive(config)
        self.pos = pos
        self.key_shift = exact_log2(derived.k_word)
        self.value_shift = exact_log2(derived.v_word)
        self.head_dim = shape.head_dim
        self.newest_word = pos >> self.key_shift
        self.keys = times_constant(self.newest_word + 1, shape.head_dim)
        self.block = self.keys + times_constant(pos + 1, derived.v_words)
        self.all = times_constant(self.block, derived.head_blocks)
        #: Words of the longest passes, and the shape of a number of words.
        self.most = derived.head_blocks * kv_layout(config).window_beats
        self.shape = range(self.most + 1)

    def index(self, block: Value, tensor: Tensor, t: Value, d: Value) -> Value:
        """Which word holds element (t, d), in the passes of `block`."""
        if tensor is Tensor.KEY:
            inside = times_constant(t >> self.key_shift, self.head_dim) + d
        else:
            inside = self.keys + product(d >> self.value_shift, self.pos + 1) + t
        return product(block, self.block) + inside

    def read(self, tensor: Tensor, t: Value) -> Value:
        """Whether the passes read position t."""
        if tensor is Tensor.KEY:
            return t >> self.key_shift <= self.newest_word
        return t <= self.pos


class KvRow:
    """The row announced last, and how far each of those around it is.

    `open`, a row was announced since reset; `layer`, `pos`, which. Of its elements, in order:
    `given` by the caller, `accepted` and `acknowledged` by the memory. Of its words, in order:
    `requested` and `delivered` at the memory, `claimed` and `started` by the caller.
    """

    def __init__(self, config: Config, cache: Cache):
        self.config = config
        self.cache = cache
        shape = config.shape
        self.open = Signal()
        self.layer = Signal.like(cache.row_layer, name="layer")
        self.pos = Signal.like(cache.row_pos, name="pos")
        self.passes = Passes(config, self.pos)
        self.elements = 2 * shape.kv_dim
        row, words = range(self.elements + 1), self.passes.shape
        self.given, self.accepted, self.acknowledged = (
            Signal(row, name=name) for name in ("given", "accepted", "acknowledged")
        )
        self.requested, self.delivered, self.claimed, self.started = (
            Signal(words, name=name) for name in ("requested", "delivered", "claimed", "started")
        )
        self.writes = Signal()
        self.reads = Signal()
        self.stores = Signal()
        self.asks = Signal()

    def connect(self, m: Module, theorem: Theorem) -> None:
        """Follow the row, and suppose that caller and memory keep their contracts."""
        self.follow(m)
        self.of_caller(theorem.suppose)
        self.of_memory(theorem.suppose)

    def follow(self, m: Module) -> None:
        """Drive the signals."""
        cache = self.cache
        request = cache.o_kv_read.payload
        m.d.comb += [
            self.writes.eq(cache.wr_en_k | cache.wr_en_v),
            self.reads.eq(cache.rd_start_k | cache.rd_start_v),
            self.stores.eq(cache.o_kv_write.valid & cache.o_kv_write.ready),
            self.asks.eq(cache.o_kv_read.valid & cache.o_kv_read.ready),
        ]
        counts = {
            "given": (self.given, self.writes),
            "accepted": (self.accepted, self.stores),
            "acknowledged": (self.acknowledged, cache.i_kv_written),
            "requested": (self.requested, Mux(self.asks, request.beats, 0)),
            "delivered": (self.delivered, cache.i_kv_words.valid),
            "claimed": (self.claimed, cache.rd_claim),
            "started": (self.started, self.reads),
        }
        with m.If(cache.row_start):
            m.d.sync += [self.open.eq(1), self.layer.eq(cache.row_layer)]
            m.d.sync += self.pos.eq(cache.row_pos)
            m.d.sync += [count.eq(0) for count, _ in counts.values()]
        with m.Else():
            m.d.sync += [count.eq(count + step) for count, step in counts.values()]

    def of_caller(self, state: Statement, *, without: str = "") -> None:
        """Suppose, or claim, what the caller promises, but for the promise `without`."""
        for name, promise in self._caller().items():
            if name != without:
                state(name, *promise)

    def of_memory(self, state: Statement) -> None:
        """Suppose what the memory promises."""
        for name, promise in self._memory().items():
            state(name, *promise)

    def waits(self) -> dict[str, Value]:
        """That the cache waits for the memory, by what for."""
        read, write = self.cache.o_kv_read, self.cache.o_kv_write
        return {
            "kv_read": read.valid & ~read.ready,
            "kv_write": write.valid & ~write.ready,
            "kv_words": (self.delivered < self.requested) & ~self.cache.i_kv_words.valid,
            "kv_written": (self.acknowledged < self.accepted) & ~self.cache.i_kv_written,
        }

    def _caller(self) -> dict[str, Stated]:
        cache, shape, passes = self.cache, self.config.shape, self.passes
        element = times_constant(cache.wr_head_kv, shape.head_dim) + cache.wr_d
        is_next = self.given == element + Mux(cache.wr_en_v, shape.kv_dim, 0)
        block, t, d = cache.rd_block, cache.rd_t, cache.rd_d
        word = Mux(
            cache.rd_start_k,
            (passes.index(block, Tensor.KEY, t, d) == self.started) & passes.read(Tensor.KEY, t),
            (passes.index(block, Tensor.VALUE, t, d) == self.started)
            & passes.read(Tensor.VALUE, t),
        )
        exists = (cache.row_layer < shape.layers) & (cache.row_pos < shape.seq_len)
        return {
            "row_in_range": (
                implies(cache.row_start, exists),
                "A row is of a layer and a position that exist.",
            ),
            "row_when_stored": (
                implies(cache.row_start & self.open, self.acknowledged == self.elements),
                "A row is announced when the one before is stored, ...",
            ),
            "row_when_read": (
                implies(cache.row_start & self.open, self.started == passes.all),
                "... and read.",
            ),
            "row_alone": (
                ~(cache.row_start & (self.writes | self.reads | cache.rd_claim)),
                "A row is announced in a cycle of its own.",
            ),
            "one_write": (
                ~(cache.wr_en_k & cache.wr_en_v),
                "Never a key and a value are written in one cycle.",
            ),
            "writes_the_row": (
                implies(
                    self.writes,
                    self.open & (cache.wr_layer == self.layer) & (cache.wr_pos == self.pos),
                ),
                "What is written is of the row announced last.",
            ),
            "writes_in_order": (
                implies(
                    self.writes,
                    is_next
                    & (self.given < self.elements)
                    & (cache.wr_head_kv < shape.kv_heads)
                    & (cache.wr_d < shape.head_dim),
                ),
                "Its elements are written in order, each once: keys, then values.",
            ),
            "one_read": (
                ~(cache.rd_start_k & cache.rd_start_v),
                "Never a key and a value are read in one cycle.",
            ),
            "claims_what_is_ready": (
                implies(cache.rd_claim, cache.rd_ready),
                "A word is claimed only when one is ready.",
            ),
            "reads_what_is_claimed": (
                implies(self.reads, self.started < self.claimed),
                "Only words that were claimed are read.",
            ),
            "reads_in_order": (
                implies(
                    self.reads,
                    word
                    & (cache.rd_layer == self.layer)
                    & (block < derive(self.config).head_blocks)
                    & (d < shape.head_dim),
                ),
                "The words of the row's passes are read in their order, each once.",
            ),
        }

    def _memory(self) -> dict[str, Stated]:
        cache = self.cache
        return {
            "acknowledges_a_write": (
                implies(cache.i_kv_written, self.acknowledged < self.accepted),
                "The memory acknowledges only writes that it took.",
            ),
            "delivers_what_was_asked": (
                implies(cache.i_kv_words.valid, self.delivered < self.requested),
                "The memory delivers only what was requested.",
            ),
        }


class KvExternalElement:
    """One element that a slot reads, chosen by the solver, in the cache and in the memory.

    `head` is its KV head, `index` its place among the elements of a row, `word` that among the
    words of the row's passes, if `is_read`. Its `address` and `lane` are those of
    `spec.kv_layout`. `written`, `start`, `read`, `shown` are as in `kv_element.KvElement`.
    `covered`: a write to it is taken in this cycle; `flying`: it is not yet acknowledged.
    """

    def __init__(self, row: KvRow, tensor: Tensor):
        self.row = row
        self.tensor = tensor
        config, cache = row.config, row.cache
        shape, derived = config.shape, derive(config)
        self.slot = Signal(range(derived.slots))
        self.block = Signal(range(derived.head_blocks))
        self.layer = Signal.like(cache.row_layer, name="element_layer")
        self.t = Signal(range(shape.seq_len))
        self.d = Signal(range(shape.head_dim))
        self.head = Signal(range(shape.kv_heads))
        self.index = Signal(range(row.elements))
        self.word = Signal(row.passes.shape)
        self.is_read = Signal()
        self.mine = Signal()  # the row is the one that writes the element
        self.address = Signal.like(cache.o_kv_read.payload.address, name="element_address")
        self.lane = Signal(range(kv_layout(config).elements))
        self.written, self.start, self.read = Signal(), Signal(), Signal()
        self.shown = Signal(signed(derived.kv_width))
        self.covered, self.flying = Signal(), Signal()
        self.content = Signal(signed(derived.kv_width))  # of the memory

    def connect(self, m: Module, theorem: Theorem) -> None:
        """Let the solver choose the element, drive the signals, and suppose the memory's data."""
        row, cache = self.row, self.row.cache
        shape, derived, layout = row.config.shape, derive(row.config), kv_layout(row.config)
        for signal, size in (
            (self.slot, derived.slots),
            (self.block, derived.head_blocks),
            (self.layer, shape.layers),
            (self.t, shape.seq_len),
            (self.d, shape.head_dim),
        ):
            theorem.choose(signal, size)
        query_head = Cat(self.slot, self.block)
        theorem.suppose(
            f"{CHOSEN}head_exists", query_head < shape.heads, "The slot has a query head."
        )
        every = range(derived.slots * derived.head_blocks)
        heads = [min(n, shape.heads - 1) // shape.group for n in every]

        key = self.tensor is Tensor.KEY
        key_shift, value_shift = row.passes.key_shift, row.passes.value_shift
        base = times_constant(self.layer, layout.layer_beats) + times_constant(
            self.head >> exact_log2(layout.span), layout.window_beats
        )
        if key:
            beat = times_constant(self.t >> key_shift, shape.head_dim) + self.d
            place = self.t[:key_shift]
        else:
            word = times_constant(self.d >> value_shift, shape.seq_len)
            beat = layout.key_beats + word + self.t
            place = self.d[:value_shift]
        in_window = self.head[: exact_log2(layout.span)]
        m.d.comb += [
            self.head.eq(entry(heads, query_head)),
            self.index.eq(
                times_constant(self.head, shape.head_dim) + self.d + (0 if key else shape.kv_dim)
            ),
            self.word.eq(row.passes.index(self.block, self.tensor, self.t, self.d)),
            self.is_read.eq(
                row.open & (row.layer == self.layer) & row.passes.read(self.tensor, self.t)
            ),
            self.mine.eq(row.open & (row.layer == self.layer) & (row.pos == self.t)),
            self.address.eq(base + beat),
            self.lane.eq(place + in_window * layout.word),
        ]

        start, words, wr_en = (
            (cache.rd_start_k, cache.rd_k, cache.wr_en_k)
            if key
            else (cache.rd_start_v, cache.rd_v, cache.wr_en_v)
        )
        same_t = (cache.rd_t ^ self.t) >> (key_shift if key else 0) == 0
        same_d = (cache.rd_d ^ self.d) >> (0 if key else value_shift) == 0
        m.d.comb += [
            self.start.eq(row.reads),
            self.read.eq(
                start
                & (cache.rd_layer == self.layer)
                & (cache.rd_block == self.block)
                & same_t
                & same_d
            ),
            self.written.eq(
                wr_en
                & (cache.wr_layer == self.layer)
                & (cache.wr_head_kv == self.head)
                & (cache.wr_pos == self.t)
                & (cache.wr_d == self.d)
            ),
            self.shown.eq(words[self.slot][place]),
        ]
        self._memory(m, theorem)

    def _memory(self, m: Module, theorem: Theorem) -> None:
        """What the memory holds, and shows."""
        row, cache = self.row, self.row.cache
        write, request = cache.o_kv_write.payload, cache.o_kv_read.payload
        number = Signal.like(row.accepted)  # of the write on its way
        data = Signal.like(self.content)
        m.d.comb += self.covered.eq(
            row.stores & (write.address == self.address) & write.strobe.bit_select(self.lane, 1)
        )
        with m.If(self.covered):
            m.d.sync += [self.flying.eq(1), number.eq(row.accepted), data.eq(write.data[self.lane])]
        with m.Elif(self.flying & cache.i_kv_written & (row.acknowledged == number)):
            m.d.sync += [self.flying.eq(0), self.content.eq(data)]
        self.number, self.data = number, data

        last = row.requested + request.beats
        self.asked = asked = Signal()
        self.clean = clean = Signal()
        m.d.comb += asked.eq(
            row.asks & self.is_read & (row.requested <= self.word) & (self.word < last)
        )
        with m.If(asked):
            m.d.sync += clean.eq(~self.flying & ~self.covered)
        with m.Elif(self.covered):
            m.d.sync += clean.eq(0)
        comes = cache.i_kv_words.valid & self.is_read & (row.delivered == self.word)
        theorem.suppose(
            "shows_content",
            implies(comes & clean, cache.i_kv_words.payload[self.lane] == self.content),
            "A read of the element shows its content if no write to it was on its way at "
            "its request, and none was taken before its data came.",
        )
