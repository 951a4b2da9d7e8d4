"""The KV caches as state machines of Hypothesis, against two plain pages."""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth import *
from amaranth.hdl import ResetInserter
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from design.kv_cache import KVRamOwner
from sim.columns import Columns
from tests.fuzz.machines import ComponentMachine, run_rules
from tools.planting import PlantedBug, build_under

#: Words as long as the row, longer than the sequence's last, or of one element.
SIZES = (
    dict(kv_heads=2, seq_len=8, head_dim=2, width=16, k_word=2, v_word=2),
    dict(kv_heads=3, seq_len=6, head_dim=6, width=18, k_word=4, v_word=4),
    dict(kv_heads=1, seq_len=5, head_dim=2, width=7, k_word=1, v_word=1),
)
KINDS = ("k", "v")


class Page:
    """What the owner is to its caller: a page of keys and one of values, zero at power-up."""

    def __init__(self, sizes: dict[str, int]):
        self.sizes = sizes
        self.pages: dict[str, dict] = {"k": {}, "v": {}}
        self.reset()

    def reset(self) -> None:
        """Pages stay as they are; no row is open, and no word is shown."""
        self.row_open = self.valid = False
        self.written = {"k": 0, "v": 0}
        self.words: dict[str, int] = {}

    @property
    def row(self) -> int:
        """Elements of a row of either kind."""
        return self.sizes["kv_heads"] * self.sizes["head_dim"]

    @property
    def full(self) -> bool:
        """All of the row announced last is written."""
        return set(self.written.values()) == {self.row}

    def outputs(self) -> dict[str, int]:
        """Of this cycle, whatever its inputs."""
        flags = {f"{kind}_written": count for kind, count in self.written.items()}
        flags |= {f"{kind}_ready": count == self.row for kind, count in self.written.items()}
        flags |= {"busy": self.row_open and not self.full, "done": self.row_open and self.full}
        return flags | {"rd_valid": self.valid} | self.words

    def cycle(self, ins: dict[str, int]) -> None:
        """The end of a cycle: a write is there for the read that comes with it."""
        if self.row_open and self.full:
            self.row_open = False
        self.valid = False
        for kind in KINDS:
            if ins.get(f"wr_en_{kind}"):
                place = ins["wr_head_kv"], ins["wr_pos"], ins["wr_d"]
                self.pages[kind][place] = ins["wr_data"]
                self.written[kind] += 1
            if ins.get(f"rd_start_{kind}"):
                self.valid = True
                self.words = {n: x for n, x in self.words.items() if n[0] != kind}
                self.words |= self._word(kind, ins["rd_t"], ins["rd_d"])
        if ins.get("row_start"):
            self.row_open, self.written = True, {"k": 0, "v": 0}

    def _word(self, kind: str, t: int, d: int) -> dict[str, int]:
        """The elements of a word that lie in the row and in the sequence, of each head."""
        length = self.sizes[f"{kind}_word"]
        places = [
            (t - t % length + n, d) if kind == "k" else (t, d - d % length + n)
            for n in range(length)
        ]
        inside = [place[0] < self.sizes["seq_len"] and place[1] < self.sizes["head_dim"]
                  for place in places]  # fmt: skip
        return {
            f"{kind}{head}_{n}": self.pages[kind].get((head, *place), 0)
            for head in range(self.sizes["kv_heads"])
            for n, place in enumerate(places)
            if inside[n]
        }


def owner(sizes: dict[str, int], bug: PlantedBug | None = None) -> Columns:
    """Compiled, with a reset and a port for each element of a word."""
    dut, m, rst = build_under(bug, KVRamOwner, **sizes), Module(), Signal()
    m.submodules.dut = dut
    flow = {name: dut.signature.members[name].flow.name for name in dut.signature.members}
    ins = {name: getattr(dut, name) for name in flow if flow[name] == "In"}
    outs = {name: getattr(dut, name) for name in flow if flow[name] == "Out" and name[:4] != "rd_k"}
    del outs["rd_v"]
    for kind in KINDS:
        for head in range(sizes["kv_heads"]):
            for n in range(sizes[f"{kind}_word"]):
                element = Signal(signed(sizes["width"]), name=f"{kind}{head}_{n}")
                m.d.comb += element.eq(getattr(dut, f"rd_{kind}")[head][n])
                outs[element.name] = element
    return Columns(ResetInserter(rst)(m), {"rst": rst, **ins}, outs)


#: A read in some cycle: of which kinds, and of which word by numbers taken modulo the sizes; the
#: first is the row that is written, the element that is written.
reads = st.none() | st.tuples(
    st.sampled_from([("k",), ("v",), KINDS]), st.integers(0, 8), st.integers(0, 6)
)


class OwnerMachine(ComponentMachine):
    """Rows are announced and written, and any word is read in any cycle; outputs are compared in
    every cycle."""

    def __init__(self, sizes: dict[str, int], columns: Columns, record: Callable):
        super().__init__(columns, record)
        self.sizes, self.page = sizes, Page(sizes)
        self.left: list[tuple[str, int, int]] = []
        self.pos = 0

    def cycle(self, read: Any = None, d: int = 0, **ins: int) -> None:
        """One cycle, with a read or without."""
        if read is not None:
            kinds, t_behind, d_behind = read
            ins |= {f"rd_start_{kind}": 1 for kind in kinds}
            ins["rd_t"] = (self.pos + t_behind) % self.sizes["seq_len"]
            ins["rd_d"] = (d + d_behind) % self.sizes["head_dim"]
        shown, expected = self.running.cycle(**ins), self.page.outputs()
        assert {name: shown[name] for name in expected} == expected
        self.cycles, self.values = self.cycles + 1, self.values + len(expected)
        self.page.cycle(ins)

    @precondition(lambda self: not self.left)
    @rule(pos=st.integers(0, 7), read=reads)
    def announce(self, pos: int, read: Any) -> None:
        """A row begins, often the one behind."""
        self.cycle(read, row_start=1)
        self.pos = pos % self.sizes["seq_len"]
        self.left = [
            (kind, head, d)
            for kind in KINDS
            for head in range(self.sizes["kv_heads"])
            for d in range(self.sizes["head_dim"])
        ]

    @precondition(lambda self: self.left)
    @rule(number=st.integers(0, 35), value=st.integers(-(1 << 17), (1 << 17) - 1), read=reads)
    def write(self, number: int, value: int, read: Any) -> None:
        """Any element that is missing, with a read of its word or another."""
        kind, head, d = self.left.pop(number % len(self.left))
        half = 1 << (self.sizes["width"] - 1)
        value = (value + half) % (2 * half) - half
        place = {"wr_head_kv": head, "wr_pos": self.pos, "wr_d": d}
        self.cycle(read, d, wr_data=value, **{f"wr_en_{kind}": 1}, **place)

    @rule(seed=st.integers(0, 255), together=reads)
    def write_row(self, seed: int, together: Any) -> None:
        """What is missing of the row, back to back."""
        while self.left:
            self.write(seed, seed * len(self.left), together)
        self.cycle()

    @rule(read=reads)
    def pause(self, read: Any) -> None:
        """A cycle without a write."""
        self.cycle(read)

    @rule()
    def reset(self) -> None:
        """The row is forgotten; the pages are not."""
        self.running.cycle(rst=1)
        self.page.reset()
        self.left = []


BUGS = (
    PlantedBug(
        "a read does not see the write that it meets", "design.kv_cache",
        "KVRamOwner._connect_banks", "(write,)", "()",
    ),
    PlantedBug(
        "a row stays open behind a reset", "design.kv_cache", "KVRamOwner.elaborate",
        "row_open = Signal()", "row_open = Signal(reset_less=True)",
    ),
    PlantedBug(
        "all banks are written", "design.kv_cache", "KVRamOwner._connect_banks",
        "Mux(self.wr_head_kv == head, lane_en, 0)", "lane_en",
    ),
)  # fmt: skip


def run(sizes: dict[str, int], columns: Columns, record: Callable, rules: settings) -> None:
    run_rules(lambda: OwnerMachine(sizes, columns, record), rules, times=4)


@pytest.mark.parametrize("sizes", SIZES, ids=["words of 2", "words of 4", "one head"])
def test_caches_on_the_chip(sizes, fuzz_record, rule_settings) -> None:
    run(sizes, owner(sizes), fuzz_record, rule_settings)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_of_a_cache_is_caught(bug, planted_settings) -> None:
    with pytest.raises(AssertionError):
        run(SIZES[0], owner(SIZES[0], bug), lambda compared: None, planted_settings)
