"""The way of the words of an external memory to the passes of the attention."""

from enum import StrEnum

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from design.arith import times_constant
from design.beat import beat_layout
from design.memories import Purpose, Ram
from design.ports import KV_BURST, kv_read_layout, kv_words_layout
from spec.config import Config
from spec.derived import derive
from spec.kv_layout import block_heads, kv_layout

#: Beats that can be on their way or waiting: what hides the latency of the memory.
BUFFER = 4 * KV_BURST


class ReadState(StrEnum):
    """What `WordReader` does: wait for a row, plan a request, or make it."""

    IDLE = "Idle"
    PLAN = "Plan"
    ASK = "Ask"


class WordReader(wiring.Component):
    """Fetches the words of a row's passes ahead of them, in the order in which they are read.

    The order of a layer is fixed: for each block of heads all key words up to the newest position,
    then, for each value word, all positions. So the announcement of a row is all that is needed. A
    run of beats is asked for in bursts, each once the buffer has room for it; words that hold the
    newest row wait until that is stored. Data from the memory is therefore always taken.

    Latency: `word` comes 1 cycle after `rd_start` (`latency`). Throughput: one word a cycle. A
    request takes 2 cycles, so the memory can be asked for `KV_BURST` beats in 2 cycles.

    Contract of the caller: `row_start` only when all words of the row before were read; `rd_claim`
    only while `rd_ready` is high; each claim is followed by one `rd_start`, in a later cycle.

    Members
    -------
    row_start, row_layer, row_pos : In
        The passes of this row follow.
    k_ready, v_ready : In(1)
        All keys, all values, of the row are stored.
    rd_ready, rd_claim : Out(1), In(1)
        The next word is in the buffer; it is claimed.
    rd_start : In(1)
        Read the next word.
    word : Out
        The word read last, of every KV head of its window; holds until the next `rd_start`.
    o_read, i_words : Out(stream), In(stream)
        See `ports.kv_members`.

    Inside (for proofs)
    -------------------
    buffer, buffer_write, buffer_read
        The words that came, and the ports that they come and leave by.
    room, waiting
        How many more can be asked for; how many are unclaimed.
    pos, block, values, value_word
        The newest position, and where the walk is: in which block of heads, in its values, not in
        its keys, and then in which value word of each position.
    base, run, address, left, beats
        The first beat of the window; of the run; of the next request; beats left of the run; of the
        next request.
    fsm
        In a `ReadState`.
    """

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        words = kv_words_layout(config)
        super().__init__(
            {
                "row_start": In(1),
                "row_layer": In(beat_layout(config)["layer"].shape),
                "row_pos": In(range(config.shape.seq_len)),
                "k_ready": In(1),
                "v_ready": In(1),
                "rd_ready": Out(1),
                "rd_claim": In(1),
                "rd_start": In(1),
                "word": Out(words),
                "o_read": Out(stream.Signature(kv_read_layout(config))),
                "i_words": In(stream.Signature(words)),
            }
        )
        shape, derived, layout = config.shape, derive(config), kv_layout(config)
        self.buffer = Memory(shape=words, depth=BUFFER, init=[])
        write, read = self.buffer.write_port(), self.buffer.read_port()
        self.buffer_write, self.buffer_read = write, read
        self.room = Signal(range(BUFFER + 1), init=BUFFER)
        self.waiting = Signal(range(BUFFER + 1))
        self.pos = Signal(range(shape.seq_len))
        self.block = Signal(range(derived.head_blocks))
        self.values = Signal()
        self.value_word = Signal(range(derived.v_words), name="word")
        self.base = Signal(range(layout.beats))
        self.run = Signal(range(layout.beats))
        self.address = Signal(range(layout.beats))
        self.left = Signal(range(max(layout.key_beats, shape.seq_len) + 1))
        self.beats = Signal.like(self.o_read.payload.beats)

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [Ram.of("buffer", self.buffer, Purpose.CACHE)]

    def elaborate(self, platform):
        m = Module()
        room, waiting = self.room, self.waiting
        self._request(m, room)
        asked = Mux(self.o_read.valid & self.o_read.ready, self.o_read.payload.beats, 0)
        m.d.sync += room.eq(room + self.rd_start - asked)

        m.submodules.buffer = self.buffer
        write, read = self.buffer_write, self.buffer_read
        m.d.comb += [
            self.i_words.ready.eq(1),
            write.en.eq(self.i_words.valid),
            write.data.eq(self.i_words.payload),
            read.en.eq(self.rd_start),
            self.word.eq(read.data),
            self.rd_ready.eq(waiting != 0),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + write.en),
            read.addr.eq(read.addr + read.en),
            waiting.eq(waiting + self.i_words.valid - self.rd_claim),
        ]
        return m

    def _request(self, m: Module, room: Value) -> None:
        """Walk the runs of the row, burst by burst."""
        shape, derived, layout = self.config.shape, derive(self.config), kv_layout(self.config)
        key_shift = exact_log2(derived.k_word)
        pos, block, values, word = self.pos, self.block, self.values, self.value_word
        base, run, address = self.base, self.run, self.address
        left, beats = self.left, self.beats
        m.d.comb += [
            self.o_read.payload.address.eq(address),
            self.o_read.payload.beats.eq(beats),
        ]

        newest = Mux(values, 1, shape.head_dim)  # the last beats of a run hold the newest row
        may = Mux(Mux(values, self.v_ready, self.k_ready), left, left - newest)
        burst = Mux(may > KV_BURST, KV_BURST, may)

        # The window of the next block is this one's or the one behind it.
        windows = [
            block_heads(self.config, n)[0] // layout.span for n in range(derived.head_blocks)
        ]
        moves = sum(1 << n for n in range(len(windows) - 1) if windows[n] != windows[n + 1])
        next_base = base + Mux(C(moves, len(windows)).bit_select(block, 1), layout.window_beats, 0)

        def begin(start: Value, length: Value) -> None:
            """The next run."""
            m.d.sync += [run.eq(start), address.eq(start), left.eq(length)]

        def key_beats(pos: Value) -> Value:
            return times_constant((pos >> key_shift) + 1, shape.head_dim)

        with m.FSM() as self.fsm:
            with m.State(ReadState.IDLE):
                with m.If(self.row_start):
                    first = times_constant(self.row_layer, layout.layer_beats)
                    m.d.sync += [pos.eq(self.row_pos), base.eq(first), block.eq(0), values.eq(0)]
                    begin(first, key_beats(self.row_pos))
                    m.next = ReadState.PLAN
            with m.State(ReadState.PLAN):
                m.d.sync += beats.eq(burst)
                with m.If(left != 0):
                    with m.If((burst != 0) & (burst <= room)):
                        m.next = ReadState.ASK
                with m.Elif(~values):
                    m.d.sync += [values.eq(1), word.eq(0)]
                    begin(base + layout.key_beats, pos + 1)
                with m.Elif(word != derived.v_words - 1):
                    m.d.sync += word.eq(word + 1)
                    begin(run + shape.seq_len, pos + 1)
                with m.Elif(block != derived.head_blocks - 1):
                    m.d.sync += [values.eq(0), block.eq(block + 1), base.eq(next_base)]
                    begin(next_base, key_beats(pos))
                with m.Else():
                    m.next = ReadState.IDLE
            with m.State(ReadState.ASK):
                m.d.comb += self.o_read.valid.eq(1)
                with m.If(self.o_read.ready):
                    m.d.sync += [address.eq(address + beats), left.eq(left - beats)]
                    m.next = ReadState.PLAN
