"""The external KV cache as a state machine of Hypothesis, between a caller and a memory."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from amaranth import *
from amaranth.hdl import ResetInserter
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from design.external_cache import ExternalCache
from design.ports import KV_BURST
from formal.planted.compared import STORED_TOO_EARLY
from sim.columns import Columns
from spec.config import CacheBacking, Config
from spec.derived import derive
from spec.kv_layout import kv_layout
from tests.design.support import SMALL
from tests.fuzz.machines import ComponentMachine, run_rules
from tools.planting import PlantedBug, build_under

#: Words of two, a KV head for each query head; two blocks of heads, which share KV heads.
CONFIGS = [SMALL[n].with_cache(CacheBacking.EXTERNAL) for n in (1, 6)]
#: What may move in a cycle, a bit each: the caller's write, claim, read and enable, then the
#: memory's word, acknowledgement, and readiness for a request and for a write.
MOVES = 8
ALL = (1 << MOVES) - 1
#: More cycles than a row takes when everything moves.
ENOUGH = 2000
JUNK = 5


def external(config: Config, bug: PlantedBug | None = None) -> Columns:
    """Compiled, with a reset and a port for each element."""
    dut, m, rst = build_under(bug, ExternalCache, config), Module(), Signal()
    m.submodules.dut = dut
    ins: dict[str, Any] = {"rst": rst, "kv_written": dut.i_kv_written}
    outs: dict[str, Any] = {}

    def put(name: str, value: Value) -> None:
        ins[name] = Signal(value.shape(), name=name)
        m.d.comb += value.eq(ins[name])

    def get(name: str, value: Value) -> None:
        outs[name] = Signal(value.shape(), name=name)
        m.d.comb += outs[name].eq(value)

    for name in ("rd_start_k", "rd_start_v", "rd_layer", "rd_block", "rd_t", "rd_d", "rd_en",
                 "rd_claim", "wr_en_k", "wr_en_v", "wr_layer", "wr_head_kv", "wr_pos", "wr_d",
                 "wr_data", "row_start", "row_layer", "row_pos"):  # fmt: skip
        put(name, getattr(dut, name))
    for name in ("rd_ready", "k_ready", "v_ready", "fault"):
        get(name, getattr(dut, name))
    put("read_ready", dut.o_kv_read.ready)
    put("write_ready", dut.o_kv_write.ready)
    put("word_valid", dut.i_kv_words.valid)
    get("word_ready", dut.i_kv_words.ready)
    get("read", dut.o_kv_read.valid)
    get("read_address", dut.o_kv_read.p.address)
    get("read_beats", dut.o_kv_read.p.beats)
    get("write", dut.o_kv_write.valid)
    get("write_address", dut.o_kv_write.p.address)
    get("write_strobe", dut.o_kv_write.p.strobe)
    for n in range(kv_layout(config).elements):
        put(f"word_{n}", dut.i_kv_words.p[n])
        get(f"write_{n}", dut.o_kv_write.p.data[n])
    for slot in range(derive(config).slots):
        for kind, words in (("k", dut.rd_k), ("v", dut.rd_v)):
            for n in range(words.shape().elem_shape.length):
                get(f"{kind}{slot}_{n}", words[slot][n])
    return Columns(ResetInserter(rst)(m), ins, outs)


class ExternalMachine(ComponentMachine):
    """Rows are written and read while the memory does as it likes.

    `page` is all that a caller knows: the elements of each row that was written last. The memory
    shows what was stored when it was asked, and stores a write when it acknowledges it.
    """

    def __init__(self, config: Config, columns: Columns, record: Callable):
        super().__init__(columns, record)
        self.config = config
        self.page: dict[tuple, int] = {}
        self.store: dict[tuple[int, int], int] = {}
        self._forget()

    def _forget(self) -> None:
        self.elements: list[tuple[str, int, int]] = []
        self.words: list[tuple] = []
        self.claimed: list[tuple] = []
        # What was read last, and what the slots show of it, an enabled cycle later.
        self.found: dict[str, int] = {}
        self.shows: dict[str, int] = {}
        self.reads: list[list[int]] = []
        self.writes: list[tuple[int, int, int]] = []
        self.waiting = 0
        self.stored = True
        self.stalled: dict[str, dict] = {}

    @property
    def through(self) -> bool:
        """The row is written, stored, and all of its words were read."""
        return self.stored and not (self.elements or self.words or self.claimed)

    @precondition(lambda self: self.through)
    @rule(layer=st.integers(0, 3), pos=st.integers(0, 10), value=st.integers(-(1 << 9), 1 << 9))
    def announce(self, layer: int, pos: int, value: int) -> None:
        """A row begins, of elements from `value` on."""
        shape = self.config.shape
        self.layer, self.pos, self.value = layer % shape.layers, pos % shape.seq_len, value
        self.elements = [
            (kind, head, d)
            for kind in "kv"
            for head in range(shape.kv_heads)
            for d in range(shape.head_dim)
        ]
        self._cycle(ALL & ~3, row_start=1, row_layer=self.layer, row_pos=self.pos)
        self.words, self.stored = list(self._words()), False

    @precondition(lambda self: not self.through)
    @rule(moves=st.lists(st.integers(0, ALL), min_size=1, max_size=20))
    def go(self, moves: list[int]) -> None:
        """Cycles in which some may move."""
        for move in moves:
            self._cycle(move)

    @precondition(lambda self: not self.through)
    @rule(move=st.integers(0, ALL), cycles=st.integers(1, 40))
    def stall(self, move: int, cycles: int) -> None:
        """For long, the same may move."""
        self.go([move] * cycles)

    @rule()
    def finish(self) -> None:
        """All may move, until the row is through."""
        for _ in range(ENOUGH):
            if self.through and self.shows == self.found:
                break
            self._cycle(ALL)
        assert self.through, "the row never ends"
        assert not (self.reads or self.writes), "something was asked for in vain"

    @rule()
    def reset(self) -> None:
        """The caller begins anew, too; of writes on their way nothing is promised."""
        self.running.cycle(rst=1)
        for address, lane, _ in self.writes:
            self.store[address, lane] = JUNK
        if not self.through:
            place = (self.layer, self.pos)
            self.page = {key: x for key, x in self.page.items() if (key[1], key[3]) != place}
        self._forget()

    def _words(self) -> Iterator[tuple]:
        derived, shape = derive(self.config), self.config.shape
        for block in range(derived.head_blocks):
            for t in range(0, self.pos + 1, derived.k_word):
                yield from (("k", block, t, d) for d in range(shape.head_dim))
            for d in range(0, derived.v_words * derived.v_word, derived.v_word):
                yield from (("v", block, t, d) for t in range(self.pos + 1))

    def _cycle(self, move: int, **ins: int) -> None:
        may = [bool(move >> n & 1) for n in range(MOVES)]
        writes, claims, reads, enabled, brings, acknowledges = may[:6]
        writes = writes and bool(self.elements)
        claims = claims and bool(self.words) and self.waiting > 0 and len(self.claimed) < 3
        reads = reads and bool(self.claimed)
        brings = brings and bool(self.reads)
        acknowledges = acknowledges and bool(self.writes)
        ins |= {"rd_en": enabled, "rd_claim": claims, "read_ready": may[6], "write_ready": may[7]}
        ins |= {"word_valid": brings, "kv_written": acknowledges}
        if writes:
            ins |= self._element(*self.elements.pop(0))
        if reads:
            word = kind, block, t, d = self.claimed.pop(0)
            ins |= {f"rd_start_{kind}": 1, "rd_layer": self.layer, "rd_block": block, "rd_t": t}
            ins["rd_d"] = min(d, self.config.shape.head_dim - 1)
        if brings:
            ins |= {f"word_{n}": x for n, x in enumerate(self.reads.pop(0))}
        outs = self.running.cycle(**ins)
        assert not outs["fault"]
        assert outs["word_ready"]
        assert outs["rd_ready"] == (self.waiting > 0)
        assert {name: outs[name] for name in self.shows} == self.shows
        self.values += 3 + len(self.shows)
        self._serve(outs, ins, acknowledges)
        if enabled:
            self.shows = self.found
        if reads:
            self.found = self._known(*word)
        if claims:
            self.claimed.append(self.words.pop(0))
        self.waiting += brings - claims
        # `v_ready` is of the row before in the cycle that announces the next.
        self.stored = bool(outs["v_ready"]) and not self.elements and "row_start" not in ins
        self.cycles += 1

    def _element(self, kind: str, head: int, d: int) -> dict[str, int]:
        half = 1 << (derive(self.config).kv_width - 1)
        self.value = (self.value * 5 + 1 + half) % (2 * half) - half
        self.page[kind, self.layer, head, self.pos, d] = self.value
        place = {"wr_layer": self.layer, "wr_head_kv": head, "wr_pos": self.pos, "wr_d": d}
        return {f"wr_en_{kind}": 1, "wr_data": self.value, **place}

    def _known(self, kind: str, block: int, t: int, d: int) -> dict[str, int]:
        """What the slots must show of a word."""
        derived, shape = derive(self.config), self.config.shape
        known = {}
        for slot in range(derived.slots):
            head = block * derived.slots + slot
            length = derived.k_word if kind == "k" else derived.v_word
            for n in range(length if head < shape.heads else 0):
                place = (t + n, d) if kind == "k" else (t, d + n)
                key = (kind, self.layer, head // shape.group, *place)
                if key in self.page:
                    known[f"{kind}{slot}_{n}"] = self.page[key]
        return known

    def _serve(self, outs: dict[str, int], ins: dict[str, int], acknowledged: bool) -> None:
        """The memory, at the end of a cycle."""
        self._stable("read", outs, ins)
        self._stable("write", outs, ins)
        if outs["read"] and ins["read_ready"]:
            assert 1 <= outs["read_beats"] <= KV_BURST
            end = outs["read_address"] + outs["read_beats"]
            assert end <= kv_layout(self.config).beats
            lanes = range(kv_layout(self.config).elements)
            self.reads += [
                [self.store.get((address, lane), JUNK) for lane in lanes]
                for address in range(outs["read_address"], end)
            ]
        if acknowledged:
            address, lane, value = self.writes.pop(0)
            self.store[address, lane] = value
        if outs["write"] and ins["write_ready"]:
            assert outs["write_strobe"].bit_count() == 1
            lane = outs["write_strobe"].bit_length() - 1
            self.writes.append((outs["write_address"], lane, outs[f"write_{lane}"]))

    def _stable(self, port: str, outs: dict[str, int], ins: dict[str, int]) -> None:
        """What is stalled stays as it is."""
        names = [name for name in outs if name == port or name.startswith(f"{port}_")]
        shown = {name: outs[name] for name in names}
        if port in self.stalled:
            assert shown == self.stalled.pop(port)
        if outs[port] and not ins[f"{port}_ready"]:
            self.stalled[port] = shown


BUGS = (
    STORED_TOO_EARLY.bug,
    PlantedBug(
        "words that came survive a reset", "design.kv_reader", "WordReader.__init__",
        "self.waiting = Signal(range(BUFFER + 1))",
        "self.waiting = Signal(range(BUFFER + 1), reset_less=True)",
    ),
)  # fmt: skip


def run(config: Config, columns: Columns, record: Callable, rules: settings) -> None:
    run_rules(lambda: ExternalMachine(config, columns, record), rules, times=2)


@pytest.mark.parametrize("config", CONFIGS, ids=["words of 2", "blocks"])
def test_external_caches(config, fuzz_record, rule_settings) -> None:
    run(config, external(config), fuzz_record, rule_settings)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_of_an_external_cache_is_caught(bug, planted_settings) -> None:
    with pytest.raises(AssertionError):
        run(CONFIGS[0], external(CONFIGS[0], bug), lambda compared: None, planted_settings)
