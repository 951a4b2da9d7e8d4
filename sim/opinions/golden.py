"""The golden decoders, asked as the RTL is."""

from collections.abc import Mapping

import numpy as np

from golden.case import Case, Feed
from golden.decoder import GoldenDecoder
from golden.fast.decoder import FixedDecoder
from golden.quantise import Model
from golden.work import products
from sim.compare import Golden, Reference
from sim.rtl_decoder import Step
from spec.config import Config
from spec.trace import Tensor


class Page:
    """`golden.decoder`, with the interface of `golden.fast` as far as comparing needs it."""

    def __init__(self, model: Model):
        self._model = model
        self.trace: Mapping[Tensor, np.ndarray] = {}
        self.reset()

    def reset(self) -> None:
        """Begin a new sequence."""
        self._decoder = GoldenDecoder(self._model)

    def step(self, tokens: np.ndarray, *, trace: bool = False) -> np.ndarray:
        """tokens (1,) -> logits (1, V) as integers; there always is a trace."""
        lists = self._decoder.step(int(tokens[0]))
        self.trace = {tensor: np.array(values) for tensor, values in lists.items()}
        return self.trace[Tensor.LOGITS]

    def products(self, *, classified: bool) -> int:
        """Multiply-accumulates of the last step."""
        return products(self._model.config.shape, self._decoder.pos - 1, classified=classified)


class Speaking:
    """A golden decoder that answers in steps, its trace as records; it takes no cycles."""

    ports_only = False

    def __init__(self, decoder: Golden, config: Config):
        self.config = config
        self._reference = Reference(decoder, config)

    def feed(self, feed: Feed) -> Step:
        """Process one token just as the host offers it."""
        said = self._reference.feed(feed)
        records = self._reference.flattener.records(said.keys, said.values)
        logits = said.logits if feed.sample else None
        return Step(said.answer, said.end, logits, 0, said.products, 0, 0, records)


def page(model: Model, case: Case) -> Speaking:
    """Golden as the page."""
    return Speaking(Page(model), model.config)


def fast(model: Model, case: Case) -> Speaking:
    """Golden fast."""
    return Speaking(FixedDecoder(model), model.config)
