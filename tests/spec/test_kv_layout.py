"""Layout of the external cache: distinct addresses for all elements, one window per block."""

import itertools

import pytest
from hypothesis import given

from spec.config import CONFIGS, CacheBacking, Config
from spec.derived import derive
from spec.kv_layout import KvLayout, block_heads, kv_layout
from tests.strategies import configs

EXTERNAL = CacheBacking.EXTERNAL


def address(config: Config, layer: int, head: int, t: int, d: int, value: bool) -> tuple[int, int]:
    """(beat, element in it), after the docstring of `spec.kv_layout`."""
    derived, layout = derive(config), kv_layout(config)
    base = layer * layout.layer_beats + head // layout.span * layout.window_beats
    lane = head % layout.span * layout.word
    if value:
        beat = layout.key_beats + d // derived.v_word * config.shape.seq_len + t
        return base + beat, lane + d % derived.v_word
    return base + t // derived.k_word * config.shape.head_dim + d, lane + t % derived.k_word


@given(configs())
def test_every_element_has_its_own_address(config):
    config, shape = config.with_cache(EXTERNAL), config.shape
    layout = kv_layout(config)
    sizes = (shape.layers, shape.kv_heads, shape.seq_len, shape.head_dim, 2)
    addresses = [address(config, *index) for index in itertools.product(*map(range, sizes))]
    assert len(set(addresses)) == len(addresses)
    assert all(0 <= beat < layout.beats for beat, _ in addresses)
    assert all(0 <= element < layout.elements for _, element in addresses)


@given(configs())
def test_a_block_needs_one_window(config):
    config, shape = config.with_cache(EXTERNAL), config.shape
    layout, derived = kv_layout(config), derive(config)
    windows = []
    for block in range(derived.head_blocks):
        heads = range(block * derived.slots, min((block + 1) * derived.slots, shape.heads))
        assert list(block_heads(config, block)) == sorted({h // shape.group for h in heads})
        (window,) = {head // layout.span for head in block_heads(config, block)}
        windows.append(window)
    # From one block to the next, the reader stays in its window or moves to the next one.
    assert windows[0] == 0 and windows[-1] == layout.windows - 1
    assert all(after - before in (0, 1) for before, after in itertools.pairwise(windows))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_memory_holds_the_cache_and_no_more(config):
    layout, shape = kv_layout(config.with_cache(EXTERNAL)), config.shape
    # The heads and contexts of the named sizes fill their words and windows.
    assert layout.beats * layout.elements == 2 * shape.layers * shape.seq_len * shape.kv_dim


def test_the_layout_is_empty_on_chip():
    layout = kv_layout(CONFIGS["nano"])
    assert (layout.beats, layout.elements) == (0, 0)
    assert layout == KvLayout(0, 0, 0, 0, 0, 0)
