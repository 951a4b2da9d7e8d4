"""The test case of a reproducer: what the host does, and the seed of the stalls of the streams."""

import dataclasses
import json
import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from spec.config import Config
from spec.shape import Shape
from tools.errors import BadInput

#: Seeds of stalls are below this.
STALL_SEEDS = 1 << 60
#: Resets come before this cycle of a token.
MOST_CYCLES = 1 << 60


@dataclass(frozen=True)
class Feed:
    """One token as a host offers it: its id, whether it begins a text, whether the decoder is to
    choose the next.

    `stalls`: the seed of the stalls during this token, instead of the case's. `reset`: the cycle
    of this token, counted from 0, in which decoder and host are reset; behind it if it takes no
    longer. The next token begins a text then, whether it says so or not.
    """

    token: int
    first: bool
    sample: bool
    stalls: int | None = None
    reset: int | None = None

    @property
    def good(self) -> bool:
        """Whether each field is of its kind and in its range."""
        return (
            _whole(self.token, 0)
            and isinstance(self.first, bool)
            and isinstance(self.sample, bool)
            and (self.stalls is None or _whole(self.stalls, 0, STALL_SEEDS))
            and (self.reset is None or _whole(self.reset, 0, MOST_CYCLES))
        )


#: Makes feeds, and is sent the answer to each.
Host = Generator[Feed, int, None]


def greedy(prompt: tuple[int, ...], steps: int, shape: Shape, *, once: bool = False) -> Host:
    """A polite host: `prompt`, and then what the decoder chooses, over `steps` tokens.

    Prompt tokens except the last are not sampled. After the end of a text, a new one with the same
    prompt begins, unless `once` is true.
    """
    position, token = 0, prompt[0]
    for _ in range(steps):
        answer = yield Feed(token, position == 0, position >= len(prompt) - 1)
        position += 1
        forced = position < len(prompt)
        token = prompt[position] if forced else answer
        if position == shape.seq_len or shape.ends_text(token, forced=forced):
            if once:
                return
            position, token = 0, prompt[0]


@dataclass(frozen=True)
class Case:
    """A run for comparing golden and RTL: forced tokens, number of steps, seed of the stalls. With
    `feeds`, the host does exactly these instead: no prompt, as many steps.

    Raises :class:`BadInput`, naming the field, for an impossible value.
    """

    prompt: tuple[int, ...]
    steps: int
    stalls: int | None = None
    feeds: tuple[Feed, ...] = ()

    @classmethod
    def of_feeds(cls, feeds: tuple[Feed, ...], stalls: int | None = None) -> "Case":
        """A host that does just these."""
        return cls((), len(feeds), stalls, feeds)

    @property
    def resets(self) -> bool:
        """Whether the decoder is ever reset."""
        return any(feed.reset is not None for feed in self.feeds)

    def host(self, shape: Shape, *, once: bool = False) -> Host:
        """What it does; with `once` a greedy one ends with the text."""
        return self._fed() if self.feeds else greedy(self.prompt, self.steps, shape, once=once)

    def _fed(self) -> Host:
        for feed in self.feeds:  # noqa: UP028 - a tuple cannot be sent answers
            yield feed

    def __post_init__(self):
        for number, feed in enumerate(self.feeds):
            if not feed.good:
                raise BadInput(
                    f"case.feeds[{number}] = {feed} must be an id and two truth values, a seed of"
                    " stalls or null, and a cycle or null"
                )
        if self.feeds:
            if self.prompt or self.steps != len(self.feeds):
                raise BadInput(f"case.steps = {self.steps!r} must be the number of feeds, alone")
        elif not self.prompt or not all(_whole(token, 0) for token in self.prompt):
            raise BadInput(f"case.prompt = {list(self.prompt)} must be token ids, at least one")
        if not _whole(self.steps, 1):
            raise BadInput(f"case.steps = {self.steps!r} must be a positive integer")
        if self.stalls is not None and not _whole(self.stalls, 0, STALL_SEEDS):
            raise BadInput(f"case.stalls = {self.stalls!r} must be null or 0 to 2**60 - 1")

    def check(self, config: Config) -> None:
        """Raise :class:`BadInput` when the prompt does not fit the vocabulary or the context."""
        shape = config.shape
        for name, tokens in (
            ("prompt", self.prompt),
            ("feeds", [feed.token for feed in self.feeds]),
        ):
            if tokens and max(tokens) >= shape.vocab:
                raise BadInput(
                    f"case.{name} holds {max(tokens)}, which is not below vocab = {shape.vocab}"
                )
        if len(self.prompt) > shape.seq_len:
            raise BadInput(f"case.prompt has {len(self.prompt)} tokens, seq_len = {shape.seq_len}")

    def to_json(self) -> str:
        """One line, read by `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Case":
        """The inverse of `to_json`; raises :class:`BadInput` for anything else."""
        try:
            values: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"case is not readable ({error})") from None
        names = [field.name for field in dataclasses.fields(cls)]
        if isinstance(values, dict):
            values = {"feeds": []} | values  # files of earlier versions have none
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise BadInput(f"case is not readable (must hold {', '.join(names)})")
        for name in ("prompt", "feeds"):
            if not isinstance(values[name], list):
                raise BadInput(f"case.{name} = {values[name]!r} must be a list")
        try:
            feeds = tuple(Feed(**feed) for feed in values["feeds"])
        except TypeError:
            raise BadInput(f"case.feeds = {values['feeds']!r} must be feeds") from None
        return cls(**values | {"prompt": tuple(values["prompt"]), "feeds": feeds})


def _whole(value: object, least: int, end: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < end
