"""The KV cache of one layer as one would write it down, and that the real one is no different."""

from typing import Any

from amaranth import *
from amaranth.asserts import Initial
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory

from properties.dialect import CHOSEN, Theorem, implies
from properties.kv_contract import Owner, row_when_idle, suppose_accesses, write_inside_row


class NaiveCache(wiring.Component):
    """Two arrays, ``keys[head][t][d]`` and ``values[head][t][d]``, and what is left of the row.

    In a cycle first the write is done, then the reads look: a read is asked for in one cycle and
    looked up in the next, in an array that holds all writes up to then and no later one.

    Has the signature of `owner`. `asked_t`, `asked_d`: the last read of each kind, ``k`` or ``v``.
    """

    def __init__(self, owner: Owner):
        super().__init__(owner.signature)
        self.owner = owner
        self.place = data.StructLayout(
            {"d": range(owner.head_dim), "t": range(owner.seq_len), "head": range(owner.kv_heads)}
        )
        self.arrays = {
            kind: Memory(shape=signed(owner.width), depth=1 << self.place.size, init=[])
            for kind in "kv"
        }
        self.asked_t = {kind: Signal(range(owner.seq_len), reset_less=True) for kind in "kv"}
        self.asked_d = {kind: Signal(range(owner.head_dim), reset_less=True) for kind in "kv"}

    def elaborate(self, platform):
        m = Module()
        row = self.owner.kv_heads * self.owner.head_dim
        left = {kind: Signal(range(row + 1), init=row, name=f"left_{kind}") for kind in "kv"}
        is_open = Signal()
        for kind, array in self.arrays.items():
            m.submodules[f"{kind}_array"] = array
            self._write(m, array, self._of(kind, "wr_en"))
            self._read(m, kind)
            m.d.comb += [
                self._of(kind, "written").eq(row - left[kind]),
                self._of(kind, "ready").eq(left[kind] == 0),
            ]
            with m.If(self.row_start):
                m.d.sync += left[kind].eq(row)
            with m.Elif(self._of(kind, "wr_en") & (left[kind] != 0)):
                m.d.sync += left[kind].eq(left[kind] - 1)
        complete = (left["k"] == 0) & (left["v"] == 0)
        m.d.comb += [self.busy.eq(is_open & ~complete), self.done.eq(is_open & complete)]
        m.d.sync += self.rd_valid.eq(self.rd_start_k | self.rd_start_v)
        m.d.sync += is_open.eq(self.row_start | self.busy)
        return m

    def _of(self, kind: str, name: str) -> Any:
        """The member `name` for keys, for values."""
        return getattr(self, f"{kind}_{name}" if name in ("written", "ready") else f"{name}_{kind}")

    def _write(self, m: Module, array: Memory, en: Value) -> None:
        write = array.write_port()
        place = Signal(self.place)
        m.d.comb += [
            place.head.eq(self.wr_head_kv),
            place.t.eq(self.wr_pos),
            place.d.eq(self.wr_d),
            write.addr.eq(place),
            write.data.eq(self.wr_data),
            write.en.eq(en),
        ]

    def _read(self, m: Module, kind: str) -> None:
        """A word: `k_word` positions of an element, or `v_word` elements of a position."""
        t, d = self.asked_t[kind], self.asked_d[kind]
        looks = Signal(reset_less=True, name=f"looks_{kind}")
        m.d.sync += looks.eq(self._of(kind, "rd_start"))
        with m.If(self._of(kind, "rd_start")):
            m.d.sync += [t.eq(self.rd_t), d.eq(self.rd_d)]
        for head, word in enumerate(self._of(kind, "rd")):
            for n, shown in enumerate(word):
                read = self.arrays[kind].read_port(domain="comb")
                place = Signal(self.place)
                kept = Signal(signed(self.owner.width), reset_less=True)
                m.d.comb += [
                    place.head.eq(head),
                    place.t.eq(t - t % len(word) + n if kind == "k" else t),
                    place.d.eq(d - d % len(word) + n if kind == "v" else d),
                    read.addr.eq(place),
                    shown.eq(Mux(looks, read.data, kept)),
                ]
                m.d.sync += kept.eq(shown)


class KvNaive(Theorem):
    """The KV cache of a layer answers every request as the naive model does, in the same cycle.

    Of a word that was read one element is compared, any one. `stored` must be driven with what
    banks and naive arrays hold at `place`, by kind.
    """

    def __init__(self, owner: Owner):
        self.owner = owner
        self.naive = NaiveCache(owner)
        self.place = Signal(self.naive.place)
        shape = signed(owner.width)
        self.stored = {kind: (Signal(shape), Signal(shape)) for kind in "kv"}

    def describe(self, m: Module) -> None:
        owner, naive, place = self.owner, self.naive, self.place
        m.submodules.naive = naive
        for path, member, port in owner.signature.flatten(owner):
            if member.flow == wiring.In:
                m.d.comb += getattr(naive, path[0]).eq(port)
        suppose_accesses(self, owner)
        self.suppose("row_when_idle", *row_when_idle(owner))
        self.suppose("write_inside_row", *write_inside_row(owner))
        sizes = {"head": owner.kv_heads, "t": owner.seq_len, "d": owner.head_dim}
        for name, size in sizes.items():
            chosen = Signal(range(size), name=name)
            self.choose(chosen, size)
            m.d.comb += place[name].eq(chosen)

        for kind, (in_bank, in_array) in self.stored.items():
            words = {
                "k": owner.k_word if kind == "k" else 1,
                "v": owner.v_word if kind == "v" else 1,
            }
            t, d = naive.asked_t[kind], naive.asked_d[kind]
            asked = Signal(reset_less=True, name=f"asked_{kind}")
            with m.If(naive._of(kind, "rd_start")):
                m.d.sync += asked.eq(1)
            read = asked & (t // words["k"] == place.t // words["k"])
            read = read & (d // words["v"] == place.d // words["v"])
            lane = place.t % words["k"] if kind == "k" else place.d % words["v"]
            shown, expected = (
                getattr(each, f"rd_{kind}")[place.head][lane] for each in (owner, naive)
            )
            with m.If(Initial()):
                self.suppose(
                    f"{CHOSEN}same_at_power_on_{kind}",
                    in_bank == in_array,
                    "At power-on the model's arrays hold what the banks hold.",
                )
            self.claim(
                f"same_word_{kind}",
                implies(read, shown == expected),
                "What was read last is what the model read, until the next read.",
            )
            self.claim(
                f"same_content_{kind}", in_bank == in_array, "Banks and arrays hold the same."
            )
            self.witness(
                f"outlived_{kind}",
                read & (shown != in_bank),
                "A word that was read outlives a write to its place.",
            )

        self.claim(
            "same_valid", owner.rd_valid == naive.rd_valid, "A read is answered in the same cycle."
        )
        status = ("k_written", "v_written", "k_ready", "v_ready", "busy", "done")
        same = [getattr(owner, name) == getattr(naive, name) for name in status]
        self.claim("same_row", Cat(same).all(), "All reports about a row come in the same cycle.")
        self.witness("row_grows", owner.v_written == 2)
