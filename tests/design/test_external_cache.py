"""ExternalCache against a naive page of Python lists, over a memory with delays of any length."""

import dataclasses
import random

from amaranth.back import rtlil
from hypothesis import given
from hypothesis import strategies as st

from design.external_cache import ExternalCache
from design.kv_reader import BUFFER
from design.ports import KV_BURST
from spec.config import CONFIGS, CacheBacking
from spec.derived import derive
from spec.kv_layout import kv_layout
from tests.design.support import SMALL, costly, expect, simulate

EXTERNAL = [config.with_cache(CacheBacking.EXTERNAL) for config in SMALL]


class Memory:
    """What stands behind the port: late, lazy, and junk where nothing was written.

    A read shows what was stored when its request was taken, a write is stored when it is
    acknowledged; `chance` is how often each of them moves.
    """

    def __init__(self, dut: ExternalCache, chance: float, rng: random.Random):
        self.dut, self.chance, self.rng = dut, chance, rng
        self.layout = kv_layout(dut.config)
        self.store: dict[int, list[int]] = {}
        self.reads: list[list[int]] = []
        self.writes: list[tuple[int, int, list[int]]] = []
        self.stores = 0

    def beat(self, address: int) -> list[int]:
        assert 0 <= address < self.layout.beats
        return self.store.setdefault(
            address, [self.rng.randrange(-64, 64) for _ in range(self.layout.elements)]
        )

    def present(self, ctx) -> None:
        dut, moves = self.dut, lambda: self.rng.random() < self.chance
        self.brings = bool(self.reads) and moves()
        self.acknowledges = bool(self.writes) and moves()
        ctx.set(dut.o_kv_read.ready, moves())
        ctx.set(dut.o_kv_write.ready, moves())
        ctx.set(dut.i_kv_words.valid, self.brings)
        if self.brings:
            ctx.set(dut.i_kv_words.payload, self.reads[0])
        ctx.set(dut.i_kv_written, self.acknowledges)

    def observe(self, ctx) -> None:
        """What moves at the end of this cycle."""
        dut = self.dut
        if self.brings:
            expect(ctx, dut.i_kv_words.ready, 1)
            self.reads.pop(0)
        if ctx.get(dut.o_kv_read.valid) and ctx.get(dut.o_kv_read.ready):
            request = ctx.get(dut.o_kv_read.payload)
            assert 1 <= request.beats <= KV_BURST
            addresses = range(request.address, request.address + request.beats)
            self.reads += [list(self.beat(address)) for address in addresses]
            assert len(self.reads) <= BUFFER
        if self.acknowledges:
            address, lane, data = self.writes.pop(0)
            self.beat(address)[lane] = data
        if ctx.get(dut.o_kv_write.valid) and ctx.get(dut.o_kv_write.ready):
            write = ctx.get(dut.o_kv_write.payload)
            assert write.strobe.bit_count() == 1
            lane = write.strobe.bit_length() - 1
            self.writes.append((write.address, lane, write.data[lane]))
            self.stores += 1


def words_of(config, pos: int):
    """(tensor, block, t, d) of every word that the passes of a row read, in order."""
    derived, shape = derive(config), config.shape
    for block in range(derived.head_blocks):
        for t in range(0, pos + 1, derived.k_word):
            yield from (("k", block, t, d) for d in range(shape.head_dim))
        for d in range(0, derived.v_words * derived.v_word, derived.v_word):
            yield from (("v", block, t, d) for t in range(pos + 1))


@costly
@given(
    st.sampled_from(EXTERNAL), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 2**32), st.data()
)
def test_every_read_returns_the_last_write(config, chance, seed, data):
    shape, derived = config.shape, derive(config)
    row = st.tuples(st.integers(0, shape.layers - 1), st.integers(0, shape.seq_len - 1))
    rows = data.draw(st.lists(row, min_size=1, max_size=3))
    rng = random.Random(seed)
    dut = ExternalCache(config)
    memory = Memory(dut, chance, rng)
    page: dict = {}

    def check(ctx, tensor, layer, block, t, d) -> None:
        for slot in range(derived.slots):
            head = block * derived.slots + slot
            length = derived.k_word if tensor == "k" else derived.v_word
            for n in range(length if head < shape.heads else 0):
                place = (t + n, d) if tensor == "k" else (t, d + n)
                key = (tensor, layer, head // shape.group, *place)
                if key in page:
                    shown = ctx.get((dut.rd_k if tensor == "k" else dut.rd_v)[slot][n])
                    assert shown == page[key], key

    async def testbench(ctx):
        async def tick():
            memory.observe(ctx)
            await ctx.tick()
            memory.present(ctx)

        memory.present(ctx)
        for layer, pos in rows:
            ctx.set(dut.row_start, 1)
            ctx.set(dut.row_layer, layer)
            ctx.set(dut.row_pos, pos)
            await tick()
            ctx.set(dut.row_start, 0)
            elements = [
                (tensor, head, d)
                for tensor in "kv"
                for head in range(shape.kv_heads)
                for d in range(shape.head_dim)
            ]
            words, claimed = list(words_of(config, pos)), []
            found = shows = None  # what the reader has; what the slots have, 1 enabled cycle later
            while elements or words or claimed or found != shows:
                gives = bool(elements) and rng.random() < 0.5
                ctx.set(dut.wr_en_k, 0)
                ctx.set(dut.wr_en_v, 0)
                if gives:
                    tensor, head, d = elements.pop(0)
                    value = rng.randrange(-64, 64)
                    page[tensor, layer, head, pos, d] = value
                    ctx.set(dut.wr_en_k if tensor == "k" else dut.wr_en_v, 1)
                    ctx.set(dut.wr_layer, layer)
                    ctx.set(dut.wr_head_kv, head)
                    ctx.set(dut.wr_pos, pos)
                    ctx.set(dut.wr_d, d)
                    ctx.set(dut.wr_data, value)
                # A claim, and at least a cycle later the read.
                enabled = rng.random() < 0.7
                ctx.set(dut.rd_en, enabled)
                if enabled:
                    shows = found
                reads = bool(claimed) and rng.random() < 0.7
                ctx.set(dut.rd_start_k, 0)
                ctx.set(dut.rd_start_v, 0)
                if reads:
                    found = claimed.pop(0)
                    tensor, block, t, d = found
                    ctx.set(dut.rd_start_k if tensor == "k" else dut.rd_start_v, 1)
                    ctx.set(dut.rd_layer, layer)
                    ctx.set(dut.rd_block, block)
                    ctx.set(dut.rd_t, t)
                    ctx.set(dut.rd_d, min(d, shape.head_dim - 1))
                claims = bool(words) and ctx.get(dut.rd_ready) and len(claimed) < 3
                ctx.set(dut.rd_claim, claims)
                expect(ctx, dut.fault, 0)
                await tick()
                if shows:
                    check(ctx, shows[0], layer, *shows[1:])
                if claims:
                    claimed.append(words.pop(0))
            ctx.set(dut.rd_claim, 0)
            while not ctx.get(dut.v_ready):
                await tick()
            assert not memory.writes and not memory.reads
        # Each element of each row was stored once, and no word was asked for in vain.
        assert memory.stores == 2 * shape.kv_dim * len(rows)

    simulate(dut, testbench)


def test_an_element_out_of_order_is_a_fault():
    dut = ExternalCache(CONFIGS["nano"].with_cache(CacheBacking.EXTERNAL))

    async def testbench(ctx):
        async def write(tensor, head, d):
            ctx.set(dut.wr_en_k, tensor == "k")
            ctx.set(dut.wr_en_v, tensor == "v")
            ctx.set(dut.wr_head_kv, head)
            ctx.set(dut.wr_d, d)
            return ctx.get(dut.fault)

        assert await write("k", 0, 0), "no row is open"
        ctx.set(dut.wr_en_k, 0)
        ctx.set(dut.row_start, 1)
        await ctx.tick()
        ctx.set(dut.row_start, 0)
        for wrong in (("k", 0, 1), ("k", 1, 0), ("v", 0, 0)):
            assert await write(*wrong)
        assert not await write("k", 0, 0)
        await ctx.tick()
        assert await write("k", 0, 0), "twice"
        assert not await write("k", 0, 1)

    simulate(dut, testbench)


def test_no_multiplier_and_two_rams():
    for config in EXTERNAL:
        text = rtlil.convert(ExternalCache(dataclasses.replace(config, name="test")))
        assert "$mul" not in text
        assert text.count("cell $memrd_v2") == text.count("cell $memwr_v2") == 2
