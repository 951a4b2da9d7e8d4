"""The layout of keys and values in an external memory, a pure function of the configuration.

The unit is a *beat*, what the array reads in one cycle: the words of `span` KV heads side by side.
A *window* is such a set of heads. For each layer and each window, the memory holds first all keys,
then all values, both in the order in which a pass reads them::

    key   K[head][t][d]   (layer, window)   t // k_word * head_dim + d
    value V[head][t][d]   (layer, window)   key_beats + d // v_word * seq_len + t

so a score pass reads one run of beats, and a value pass one run for each value word.
"""

import functools
from dataclasses import dataclass

from spec.config import CacheBacking, Config
from spec.derived import ceil_div, derive


@dataclass(frozen=True)
class KvLayout:
    """The layout; sizes and addresses count beats."""

    span: int
    """KV heads in a window: the least power of two such that every block of heads is in one."""
    word: int
    """Elements of a head in a beat, the longer of key word and value word."""
    key_beats: int
    """Beats of the keys of one window of one layer."""
    value_beats: int
    """Beats of the values of one window of one layer."""
    windows: int
    """Windows of one layer."""
    layers: int

    @property
    def elements(self) -> int:
        """Elements in a beat: ``head % span * word + place in the word``."""
        return self.span * self.word

    @property
    def window_beats(self) -> int:
        """Beats of one window of one layer."""
        return self.key_beats + self.value_beats

    @property
    def layer_beats(self) -> int:
        """Beats of one layer."""
        return self.windows * self.window_beats

    @property
    def beats(self) -> int:
        """Beats of the whole cache."""
        return self.layers * self.layer_beats


def block_heads(config: Config, block: int) -> range:
    """The KV heads that the query heads of `block` read."""
    shape, slots = config.shape, derive(config).slots
    last = min((block + 1) * slots, shape.heads) - 1
    return range(block * slots // shape.group, last // shape.group + 1)


def _span(config: Config) -> int:
    """Doubled until no block of heads crosses a window (a group may be no power of two)."""
    blocks = [block_heads(config, block) for block in range(derive(config).head_blocks)]
    span = 1
    while any(heads[0] // span != heads[-1] // span for heads in blocks):
        span *= 2
    return span


@functools.cache
def kv_layout(config: Config) -> KvLayout:
    """The layout of `config`; empty if its cache is on chip."""
    if config.geometry.cache is CacheBacking.ON_CHIP:
        return KvLayout(span=0, word=0, key_beats=0, value_beats=0, windows=0, layers=0)
    shape, derived = config.shape, derive(config)
    span = _span(config)
    return KvLayout(
        span=span,
        word=max(derived.k_word, derived.v_word),
        key_beats=ceil_div(shape.seq_len, derived.k_word) * shape.head_dim,
        value_beats=derived.v_words * shape.seq_len,
        windows=ceil_div(shape.kv_heads, span),
        layers=shape.layers,
    )
