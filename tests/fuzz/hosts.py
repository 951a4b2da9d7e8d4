"""A host of the decoder as a state machine of Hypothesis: what it offers, rule by rule."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from golden.case import Case, Feed, Host
from golden.fast.decoder import FixedDecoder
from golden.image import pack
from golden.quantise import Model
from sim.build import Variant
from sim.compare import Progress, compare
from sim.observed import ObservedRtl
from sim.replay import Run
from spec.config import Config
from spec.schedule import image
from tests.fuzz.reproducer import Differs
from tests.fuzz.strategies import offered_ids, plain_models

T = TypeVar("T")


def of_machine(strategy: Callable[[Config], st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """What `strategy` draws for the configuration of the running machine."""
    return st.runner().flatmap(lambda machine: strategy(machine.config))


def cycles_of_token(config: Config) -> st.SearchStrategy[int]:
    """Cycles of a token, its first ones often, some behind its end unless it is stalled."""
    beats = image(config)
    most = beats.embedding_beats + beats.body_beats + beats.classifier_beats
    return st.integers(0, 2 * most) | st.integers(0, 8 * most) | st.integers(0, 9)


tokens = of_machine(offered_ids)
resets = of_machine(cycles_of_token)
#: Cycles behind the length of an earlier token, whose answer often takes just one of them.
late = st.integers(-2, 2) | st.integers(-12, 12)


class HostMachine(RuleBasedStateMachine):
    """A host that does as it likes, and resets the decoder in the middle of anything.

    Golden is the model. Every token is compared as soon as it is offered, so that a run ends with
    its failure, and shrinks by leaving out rules. The tokens so far are a `Case`: a failure leaves
    the same reproducer as every other. `done` is called with each run that does not differ.
    """

    def __init__(
        self,
        config: Config,
        done: Callable[[Run, ObservedRtl], None],
        variant: Variant = "traced",
    ):
        super().__init__()
        self.config = config
        self.done = done
        self.variant = variant
        self.stalls: int | None = None
        self.feeds: list[Feed] = []
        self.rtl: ObservedRtl | None = None
        self.differs = False
        self.cycles = 0
        self.lengths: dict[bool, int] = {}

    @initialize(model=of_machine(plain_models), token=tokens, sample=st.booleans())
    def load(self, model: Model, token: int, sample: bool) -> None:
        """A text begins with a new model."""
        self.model, self.image = model, pack(model)
        self.golden = FixedDecoder(model)
        self.rtl = ObservedRtl(self.config, self.image, self.variant, quiet=True)
        self.comparison = compare(self.golden, self.rtl, self._host())
        self.offer(token, True, sample)

    @rule(token=tokens, sample=st.booleans())
    def begin(self, token: int, sample: bool) -> None:
        """A text begins, wherever the one before is."""
        self.offer(token, True, sample)

    @rule(token=tokens, sample=st.booleans())
    def force(self, token: int, sample: bool) -> None:
        """A token of the host's own: a prompt, or a choice is ignored."""
        self.offer(token, False, sample)

    @rule(sample=st.booleans())
    def take(self, sample: bool) -> None:
        """The last answer is taken, be it a choice or not, even one that ends the text."""
        self.offer(None, False, sample)

    @rule(token=tokens, sample=st.booleans())
    def fill(self, token: int, sample: bool) -> None:
        """The context fills up; `sample` says whether its last token is sampled."""
        while (left := self.config.shape.seq_len - 1 - self.progress.position) > 0:
            self.offer(token, False, sample and left == 1)

    @rule(seed=st.integers(0, 2**32))
    def stall(self, seed: int) -> None:
        """Other stalls, until further notice."""
        self.stalls = seed

    @rule()
    def flow(self) -> None:
        """No more stalls."""
        self.stalls = None

    @rule(token=tokens, first=st.booleans(), sample=st.booleans(), cycle=resets)
    def reset(self, token: int, first: bool, sample: bool, cycle: int) -> None:
        """Decoder and host are reset in the middle of a token, or behind it."""
        self.offer(token, first, sample, cycle)

    @rule(token=tokens, first=st.booleans(), sample=st.booleans(), later=late)
    def reset_late(self, token: int, first: bool, sample: bool, later: int) -> None:
        """The reset comes about when a token ends, as the last one of its kind did."""
        self.offer(token, first, sample, max(0, self.lengths.get(sample, 0) + later))

    def offer(self, token: int | None, first: bool, sample: bool, reset: int | None = None) -> None:
        """Compare one token (None: the last answer); raises :class:`Differs`."""
        self._next = token, first, sample, self.stalls, reset
        before = self.cycles
        self.progress: Progress = next(self.comparison)
        self.cycles = self.progress.cycles
        if self.cycles > before:  # the cycles of a token that is cut off are not counted
            self.lengths[sample] = self.cycles - before
        self.feeds.append(self.progress.feed)
        if self.progress.difference is not None:
            self.differs = True
            raise Differs(self._run())

    def _host(self) -> Host:
        answer = 0
        while True:
            token, *rest = self._next
            answer = yield Feed(answer if token is None else token, *rest)

    def _run(self) -> Run:
        feeds = tuple(self.feeds)
        saturation = self.golden.saturation
        return Run(self.model, Case.of_feeds(feeds), self.image, feeds, self.progress, saturation)

    def teardown(self) -> None:
        """The end of the run, or of one that differs."""
        if self.rtl is None:
            return
        self.rtl.close()
        if not self.differs:
            self.done(self._run(), self.rtl)
