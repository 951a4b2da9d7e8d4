"""The KV cache of one layer, behind the one component that may touch it."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from design.arith import ram_depth, times_constant
from design.memories import Purpose, Ram
from spec.derived import ceil_div
from tools.errors import BadInput


class KVRamOwner(wiring.Component):
    """Owns one layer's keys and values: per KV head one key bank and one value bank.

    A bank is a RAM with one read port and one write port. Its read port is transparent, so a read
    that meets a write to its word in the same cycle returns the new element. All banks read one
    address, so one read serves every query head: each picks the word of its KV head behind this
    component, once for all layers (picking inside would cost a multiplexer per layer and slot).

    A key word holds `k_word` consecutive positions of one element, ``K[t0:t0 + k_word][d]`` at
    address ``t // k_word * head_dim + d``, which suits a score pass with one position per lane. A
    value word holds `v_word` consecutive elements of one position, ``V[t][d0:d0 + v_word]`` at
    address ``t * ceil(head_dim / v_word) + d // v_word``, which suits a value pass with one
    element per lane. Elements beyond `seq_len` or `head_dim` in a last word are undefined.

    Latency: reads 1 cycle (`latency`), and one of each kind can start every cycle. A write is seen
    by a read started in its own cycle. `done` comes 1 cycle after the last write of the row, so a
    row takes ``2 * kv_heads * head_dim + 1`` cycles after `row_start` when nothing pauses.

    Contract of the caller: `wr_en_k` and `wr_en_v` are never both high; `row_start` only while
    `busy` is low; writes only while `busy` is high, each element of the row exactly once, in any
    order; all indices in range. A write beyond the last of the row goes to the RAM uncounted.

    Parameters
    ----------
    kv_heads, seq_len, head_dim : int
        Sizes of the cache.
    width : int
        Bits of an element.
    k_word, v_word : int
        Elements in a key word and in a value word; powers of two.

    Raises
    ------
    BadInput
        A parameter is not positive, or a word is not a power of two.

    Members
    -------
    rd_start_k, rd_start_v : In(1)
        Read the key word, the value word, that holds position `rd_t` and element `rd_d`.
    rd_t : In(range(seq_len))
    rd_d : In(range(head_dim))
    rd_k, rd_v : Out(ArrayLayout(ArrayLayout(signed(width), k_word or v_word), kv_heads))
        The word read last of its kind, per KV head; holds until the next start of its kind.
    rd_valid : Out(1)
        High exactly 1 cycle after a start of either kind.
    wr_en_k, wr_en_v : In(1)
        Write `wr_data` to the key bank, the value bank, of head `wr_head_kv` at (`wr_pos`, `wr_d`).
    wr_head_kv : In(range(kv_heads))
    wr_pos : In(range(seq_len))
    wr_d : In(range(head_dim))
    wr_data : In(signed(width))
    row_start : In(1)
        A row of ``kv_heads * head_dim`` keys and as many values is about to be written.
    k_written, v_written : Out(range(kv_heads * head_dim + 1))
        Elements of the row written so far; 0 after `row_start` and after reset.
    k_ready, v_ready : Out(1)
        All keys, all values, of the row are written; low after reset and after `row_start`.
    busy : Out(1)
        A row is announced and not complete.
    done : Out(1)
        One-cycle pulse: the row is complete.
    """

    latency = 1

    def __init__(
        self,
        *,
        kv_heads: int,
        seq_len: int,
        head_dim: int,
        width: int,
        k_word: int,
        v_word: int,
    ):
        sizes = dict(
            kv_heads=kv_heads,
            seq_len=seq_len,
            head_dim=head_dim,
            width=width,
            k_word=k_word,
            v_word=v_word,
        )
        for name, value in sizes.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise BadInput(f"KVRamOwner {name} = {value!r} must be a positive integer")
        for name in ("k_word", "v_word"):
            if sizes[name] & (sizes[name] - 1):
                raise BadInput(f"KVRamOwner {name} = {sizes[name]} must be a power of two")

        self.kv_heads = kv_heads
        self.seq_len = seq_len
        self.head_dim = head_dim
        self.width = width
        self.k_word = k_word
        self.v_word = v_word

        key_word = data.ArrayLayout(signed(width), k_word)
        value_word = data.ArrayLayout(signed(width), v_word)
        row_count = range(kv_heads * head_dim + 1)
        super().__init__(
            {
                "rd_start_k": In(1),
                "rd_start_v": In(1),
                "rd_t": In(range(seq_len)),
                "rd_d": In(range(head_dim)),
                "rd_k": Out(data.ArrayLayout(key_word, kv_heads)),
                "rd_v": Out(data.ArrayLayout(value_word, kv_heads)),
                "rd_valid": Out(1),
                "wr_en_k": In(1),
                "wr_en_v": In(1),
                "wr_head_kv": In(range(kv_heads)),
                "wr_pos": In(range(seq_len)),
                "wr_d": In(range(head_dim)),
                "wr_data": In(signed(width)),
                "row_start": In(1),
                "k_written": Out(row_count),
                "v_written": Out(row_count),
                "k_ready": Out(1),
                "v_ready": Out(1),
                "busy": Out(1),
                "done": Out(1),
            }
        )

        key_depth = ram_depth(ceil_div(seq_len, k_word) * head_dim)
        value_depth = ram_depth(seq_len * ceil_div(head_dim, v_word))
        self.key_banks = [Memory(shape=key_word, depth=key_depth, init=[]) for _ in range(kv_heads)]
        self.value_banks = [
            Memory(shape=value_word, depth=value_depth, init=[]) for _ in range(kv_heads)
        ]

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [
            Ram.of(f"{kind}_bank_{head}", bank, Purpose.CACHE, lane=self.width)
            for kind, banks in (("key", self.key_banks), ("value", self.value_banks))
            for head, bank in enumerate(banks)
        ]

    def _key_address(self, t: Value, d: Value) -> Value:
        return times_constant(t[exact_log2(self.k_word) :], self.head_dim) + d

    def _value_address(self, t: Value, d: Value) -> Value:
        words = ceil_div(self.head_dim, self.v_word)
        return times_constant(t, words) + d[exact_log2(self.v_word) :]

    def elaborate(self, platform):
        m = Module()

        self._connect_banks(
            m,
            "key",
            self.key_banks,
            start=self.rd_start_k,
            rd_address=self._key_address(self.rd_t, self.rd_d),
            rd_word=self.rd_k,
            wr_en=self.wr_en_k,
            wr_address=self._key_address(self.wr_pos, self.wr_d),
            wr_lane=self.wr_pos[: exact_log2(self.k_word)],
        )
        self._connect_banks(
            m,
            "value",
            self.value_banks,
            start=self.rd_start_v,
            rd_address=self._value_address(self.rd_t, self.rd_d),
            rd_word=self.rd_v,
            wr_en=self.wr_en_v,
            wr_address=self._value_address(self.wr_pos, self.wr_d),
            wr_lane=self.wr_d[: exact_log2(self.v_word)],
        )
        m.d.sync += self.rd_valid.eq(self.rd_start_k | self.rd_start_v)

        row_open = Signal()
        row_full = self.k_ready & self.v_ready
        m.d.comb += [
            self.k_ready.eq(self.k_written == self.kv_heads * self.head_dim),
            self.v_ready.eq(self.v_written == self.kv_heads * self.head_dim),
            self.busy.eq(row_open & ~row_full),
            self.done.eq(row_open & row_full),
        ]
        with m.If(self.row_start):
            m.d.sync += [row_open.eq(1), self.k_written.eq(0), self.v_written.eq(0)]
        with m.Elif(self.busy):
            m.d.sync += [
                self.k_written.eq(self.k_written + (self.wr_en_k & ~self.k_ready)),
                self.v_written.eq(self.v_written + (self.wr_en_v & ~self.v_ready)),
            ]
        with m.Else():
            m.d.sync += row_open.eq(0)

        return m

    def _connect_banks(
        self,
        m: Module,
        kind: str,
        banks: list[Memory],
        *,
        start: Value,
        rd_address: Value,
        rd_word: data.View,
        wr_en: Value,
        wr_address: Value,
        wr_lane: Value,
    ) -> None:
        # Named once, so that the banks share one address adder and one lane decoder.
        depth, lanes = banks[0].depth, banks[0].shape.length
        shared_rd_address = Signal(range(depth), name=f"{kind}_rd_address")
        shared_wr_address = Signal(range(depth), name=f"{kind}_wr_address")
        lane_en = Signal(lanes, name=f"{kind}_lane_en")
        m.d.comb += [
            shared_rd_address.eq(rd_address),
            shared_wr_address.eq(wr_address),
            lane_en.eq(wr_en << wr_lane),
        ]

        for head, bank in enumerate(banks):
            m.submodules[f"{kind}_bank_{head}"] = bank
            write: WritePort = bank.write_port(granularity=1)
            # The bypass is the transparency of the port: written beside a default port instead, it
            # would make ECP5 delay the write and double the RAM.
            read: ReadPort = bank.read_port(transparent_for=(write,))
            m.d.comb += [
                read.en.eq(start),
                read.addr.eq(shared_rd_address),
                write.addr.eq(shared_wr_address),
                write.en.eq(Mux(self.wr_head_kv == head, lane_en, 0)),
                write.data.eq(Cat(self.wr_data for _ in range(lanes))),
                rd_word[head].eq(read.data),
            ]
