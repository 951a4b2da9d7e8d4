"""Where the external cache lies: every element has a place of its own, and passes read straight."""

import itertools

import pytest
from hypothesis import given

from spec.config import CONFIGS, CacheBacking, Config
from spec.derived import derive
from spec.kv_layout import KvLayout, block_heads, kv_layout
from tests.strategies import configs

EXTERNAL = CacheBacking.EXTERNAL


def place(config: Config, layer: int, head: int, t: int, d: int, value: bool) -> tuple[int, int]:
    """(beat, element in it), as the module's docstring says."""
    derived, layout = derive(config), kv_layout(config)
    base = layer * layout.layer_beats + head // layout.span * layout.window_beats
    lane = head % layout.span * layout.word
    if value:
        beat = layout.key_beats + d // derived.v_word * config.shape.seq_len + t
        return base + beat, lane + d % derived.v_word
    return base + t // derived.k_word * config.shape.head_dim + d, lane + t % derived.k_word


@given(configs())
def test_every_element_has_a_place_of_its_own(config):
    config, shape = config.with_cache(EXTERNAL), config.shape
    layout = kv_layout(config)
    sizes = (shape.layers, shape.kv_heads, shape.seq_len, shape.head_dim, 2)
    places = [place(config, *each) for each in itertools.product(*map(range, sizes))]
    assert len(set(places)) == len(places)
    assert all(0 <= beat < layout.beats for beat, _ in places)
    assert all(0 <= element < layout.elements for _, element in places)


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
    # The reader goes from a window to the next one, or stays.
    assert windows[0] == 0 and windows[-1] == layout.windows - 1
    assert all(after - before in (0, 1) for before, after in itertools.pairwise(windows))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_memory_holds_the_cache_and_no_more(config):
    layout, shape = kv_layout(config.with_cache(EXTERNAL)), config.shape
    # True of the named sizes, whose heads and contexts fill their words and windows.
    assert layout.beats * layout.elements == 2 * shape.layers * shape.seq_len * shape.kv_dim


def test_on_the_chip_there_is_none():
    layout = kv_layout(CONFIGS["nano"])
    assert (layout.beats, layout.elements) == (0, 0)
    assert layout == KvLayout(0, 0, 0, 0, 0, 0)
