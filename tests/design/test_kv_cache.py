"""KVRamOwner against a naive page of Python lists, in Amaranth's simulator."""

import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from design.kv_cache import KVRamOwner
from tests.design.support import expect
from tools.errors import BadInput

NANO = dict(kv_heads=2, seq_len=8, head_dim=2, width=16, k_word=2, v_word=2)

#: Sizes that are no powers of two, words longer than the row or the sequence, one head.
SHAPES = [
    NANO,
    dict(kv_heads=1, seq_len=5, head_dim=2, width=7, k_word=1, v_word=1),
    dict(kv_heads=3, seq_len=6, head_dim=6, width=18, k_word=4, v_word=4),
    dict(kv_heads=2, seq_len=3, head_dim=2, width=16, k_word=8, v_word=8),
    dict(kv_heads=1, seq_len=1, head_dim=2, width=16, k_word=2, v_word=1),
]


class Page:
    """The cache as the caller thinks of it: one flat page per tensor, zero at power-up."""

    def __init__(self, sizes: dict):
        self.sizes = sizes
        self.k: dict = {}
        self.v: dict = {}

    def key_word(self, head: int, t: int, d: int) -> list[int]:
        first = t - t % self.sizes["k_word"]
        return [self.k.get((head, first + lane, d), 0) for lane in range(self.sizes["k_word"])]

    def value_word(self, head: int, t: int, d: int) -> list[int]:
        first = d - d % self.sizes["v_word"]
        return [self.v.get((head, t, first + lane), 0) for lane in range(self.sizes["v_word"])]


@st.composite
def accesses(draw):
    """A shape and the accesses of some cycles, crowded into few addresses so that they meet."""
    sizes = draw(st.sampled_from(SHAPES))
    head = st.integers(0, sizes["kv_heads"] - 1)
    t = st.integers(max(0, sizes["seq_len"] - 3), sizes["seq_len"] - 1)
    d = st.integers(0, sizes["head_dim"] - 1)
    bound = 1 << sizes["width"] - 1
    cycle = st.fixed_dictionaries(
        dict(
            write=st.sampled_from(["", "k", "v"]),
            wr=st.tuples(head, t, d, st.integers(-bound, bound - 1)),
            read_k=st.booleans(),
            read_v=st.booleans(),
            rd=st.tuples(t, d),
        )
    )
    return sizes, draw(st.lists(cycle, min_size=1, max_size=40))


def simulate(dut: KVRamOwner, testbench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


@settings(deadline=None, max_examples=40)
@given(accesses())
def test_every_read_returns_the_last_write(drawn):
    sizes, cycles = drawn
    dut = KVRamOwner(**sizes)
    page = Page(sizes)

    async def testbench(ctx):
        words_k = words_v = None
        for cycle in cycles:
            head, t, d, value = cycle["wr"]
            ctx.set(dut.wr_en_k, cycle["write"] == "k")
            ctx.set(dut.wr_en_v, cycle["write"] == "v")
            ctx.set(dut.wr_head_kv, head)
            ctx.set(dut.wr_pos, t)
            ctx.set(dut.wr_d, d)
            ctx.set(dut.wr_data, value)
            ctx.set(dut.rd_start_k, cycle["read_k"])
            ctx.set(dut.rd_start_v, cycle["read_v"])
            ctx.set(dut.rd_t, cycle["rd"][0])
            ctx.set(dut.rd_d, cycle["rd"][1])
            # The write goes first: a read that meets it must see it.
            if cycle["write"]:
                getattr(page, cycle["write"])[head, t, d] = value
            if cycle["read_k"]:
                words_k = [page.key_word(head, *cycle["rd"]) for head in range(sizes["kv_heads"])]
            if cycle["read_v"]:
                words_v = [page.value_word(head, *cycle["rd"]) for head in range(sizes["kv_heads"])]
            await ctx.tick()
            expect(ctx, dut.rd_valid, cycle["read_k"] or cycle["read_v"])
            for words, port in ((words_k, dut.rd_k), (words_v, dut.rd_v)):
                for head, word in enumerate(words or ()):
                    assert [ctx.get(port[head][lane]) for lane in range(len(word))] == word

    simulate(dut, testbench)


@settings(deadline=None, max_examples=15)
@given(st.permutations([(kind, n) for kind in "kv" for n in range(4)]), st.lists(st.booleans()))
def test_a_row_is_done_once_and_only_when_complete(order, pauses):
    dut = KVRamOwner(**NANO)

    async def testbench(ctx):
        async def flags():
            names = ("k_ready", "v_ready", "busy", "done")
            return tuple(ctx.get(getattr(dut, name)) for name in names)

        assert await flags() == (0, 0, 0, 0)
        for _ in range(2):
            ctx.set(dut.row_start, 1)
            await ctx.tick()
            ctx.set(dut.row_start, 0)
            assert await flags() == (0, 0, 1, 0)
            written = {"k": 0, "v": 0}
            for index, (kind, n) in enumerate(order):
                if index < len(pauses) and pauses[index]:
                    await ctx.tick()
                ctx.set(dut.wr_en_k, kind == "k")
                ctx.set(dut.wr_en_v, kind == "v")
                ctx.set(dut.wr_head_kv, n // 2)
                ctx.set(dut.wr_d, n % 2)
                await ctx.tick()
                ctx.set(dut.wr_en_k, 0)
                ctx.set(dut.wr_en_v, 0)
                written[kind] += 1
                complete = index == len(order) - 1
                ready = (written["k"] == 4, written["v"] == 4)
                assert await flags() == (*ready, not complete, complete)
            await ctx.tick()
            assert await flags() == (1, 1, 0, 0)

    simulate(dut, testbench)


@pytest.mark.parametrize("sizes", SHAPES)
def test_no_multiplier_and_one_ram_of_each_kind_per_head(sizes):
    text = rtlil.convert(KVRamOwner(**sizes))
    assert "$mul" not in text
    assert text.count("cell $memrd_v2") == text.count("cell $memwr_v2") == 2 * sizes["kv_heads"]


@pytest.mark.parametrize("name", list(NANO))
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_sizes_must_be_positive_integers(name, value):
    with pytest.raises(BadInput, match=rf"^KVRamOwner {name} = {value!r} must be a positive"):
        KVRamOwner(**{**NANO, name: value})


@pytest.mark.parametrize("name", ["k_word", "v_word"])
def test_words_must_be_powers_of_two(name):
    with pytest.raises(BadInput, match=rf"^KVRamOwner {name} = 3 must be a power of two$"):
        KVRamOwner(**{**NANO, name: 3})
