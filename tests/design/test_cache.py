"""The caches of all layers: every slot reads the word of its head's KV head."""

from hypothesis import given
from hypothesis import strategies as st

from design.cache import CacheLayers
from spec.derived import derive
from tests.design.support import costly, heads_of, signed_bits, simulate, small_configs


@st.composite
def cases(draw):
    """A configuration and some cycles, crowded into few addresses so that they meet."""
    config = draw(small_configs)
    shape, derived = config.shape, derive(config)
    layer = st.integers(0, shape.layers - 1)
    t = st.integers(max(0, shape.seq_len - 3), shape.seq_len - 1)
    d = st.integers(0, shape.head_dim - 1)
    head = st.integers(0, shape.kv_heads - 1)
    write = st.tuples(st.sampled_from("kv"), layer, head, t, d, signed_bits(derived.kv_width))
    read = st.tuples(layer, st.integers(0, derived.head_blocks - 1), t, d)
    cycle = st.fixed_dictionaries(
        dict(write=st.none() | write, k=st.booleans(), v=st.booleans(), read=read, en=st.booleans())
    )
    return config, draw(st.lists(cycle, min_size=1, max_size=40))


@costly
@given(cases())
def test_words_of_the_heads_in_the_slots(case):
    config, cycles = case
    shape, derived = config.shape, derive(config)
    dut = CacheLayers(config)
    held: dict[tuple, int] = {}

    def words(kind: str, layer: int, block: int, t: int, d: int) -> dict[int, list[int]]:
        """Slot -> the word of its head, as far as the shape reaches."""
        length, at, end = (
            (derived.k_word, t, shape.seq_len) if kind == "k" else
            (derived.v_word, d, shape.head_dim)
        )  # fmt: skip
        first = at - at % length
        places = [(n, d) if kind == "k" else (t, n) for n in range(first, min(first + length, end))]
        return {
            slot: [held.get((kind, layer, head // shape.group, *place), 0) for place in places]
            for slot, head in heads_of(config, block).items()
        }

    async def testbench(ctx):
        # In front of the owners, out of their RAMs, in the registers behind.
        asked, found, out = ({"k": {}, "v": {}} for _ in range(3))
        late = None
        for cycle in cycles:
            if late is not None:  # a write reaches its owner 1 cycle later
                *place, value = late
                held[tuple(place)] = value
            late = cycle["write"]
            if late is not None:
                kind, layer, head, t, d, value = late
                names = ("layer", "head_kv", "pos", "d", "data")
                for name, each in zip(names, (layer, head, t, d, value), strict=True):
                    ctx.set(getattr(dut, f"wr_{name}"), each)
            for name, each in zip(("layer", "block", "t", "d"), cycle["read"], strict=True):
                ctx.set(getattr(dut, f"rd_{name}"), each)
            ctx.set(dut.rd_en, cycle["en"])
            for kind in "kv":
                writes = cycle["write"] is not None and cycle["write"][0] == kind
                ctx.set(getattr(dut, f"wr_en_{kind}"), writes)
                ctx.set(getattr(dut, f"rd_start_{kind}"), cycle[kind])
                if cycle["en"]:
                    out[kind] = found[kind]
                    found[kind] = words(kind, *asked[kind]) if asked[kind] else {}
                    asked[kind] = cycle["read"] if cycle[kind] else ()
            await ctx.tick()
            for kind, port in (("k", dut.rd_k), ("v", dut.rd_v)):
                for slot, word in out[kind].items():
                    assert [ctx.get(port[slot][n]) for n in range(len(word))] == word

    simulate(dut, testbench)
