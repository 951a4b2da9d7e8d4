"""Tells stories by choices: the same telling draws one at random, or recognises one.

A telling (`training.tales.tell`) is a plain function that writes text and, wherever it could go on
in several ways, calls `choose` with their number. Choices are made as late as the text needs them,
which is what lets :func:`recognise` follow a text from its beginning.
"""

import dataclasses
import functools
import math
import random
from collections.abc import Callable, Sequence
from string import Formatter
from typing import Any, TypeVar

Value = TypeVar("Value")
#: Takes the number of ways to go on and returns one of them.
Choose = Callable[[int], int]

#: The pronouns of a character, by the letter that stands beside a name.
PRONOUNS = {
    "f": {"he": "she", "him": "her", "his": "her", "himself": "herself"},
    "m": {"he": "he", "him": "him", "his": "his", "himself": "himself"},
}


class Teller:
    """What a story has said and settled so far.

    `facts` maps the name of a slot to its text, or to a function that settles it when it is first
    said. A slot written with a capital letter is said with one.
    """

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self.facts: dict[str, str | Callable[[], str]] = {}
        self.records: dict[str, Any] = {}
        self._names: set[str] = set()
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """All that was said."""
        return "".join(self._pieces)

    def one(self, options: Sequence[Value]) -> Value:
        """One of `options`."""
        return options[self._choose(len(options)) if len(options) > 1 else 0]

    def say(self, *options: str) -> None:
        """Say one of `options`, behind a space unless the text begins or a line has ended."""
        if self._pieces and not self._pieces[-1].endswith("\n"):
            self._pieces.append(" ")
        for literal, slot, article, _ in Formatter().parse(self.one(options)):
            self._pieces.append(literal)
            if slot is not None:
                self._pieces.append(self.fact(slot, article))

    def line(self) -> None:
        """End a paragraph."""
        self._pieces.append("\n")

    def fact(self, slot: str, article: str | None = None) -> str:
        """The text of a slot, settled if it was not yet; behind "a" or "an" if `article` is "a"."""
        key = slot[0].lower() + slot[1:]
        value = self.facts[key]
        if callable(value):
            value = value()
            self.facts[key] = value
        if article == "a":
            value = f"{'an' if value[0] in 'aeiou' else 'a'} {value}"
        return value if key == slot else value[0].upper() + value[1:]

    def later(self, slot: str, options: Sequence[str]) -> None:
        """Settle a slot to one of `options` when it is first said."""
        self.facts[slot] = lambda: self.one(options)

    def know(self, who: str, **facts: str) -> None:
        """Settle several slots ``who.name`` at once."""
        self.facts.update({f"{who}.{name}": value for name, value in facts.items()})

    def record(self, who: str, options: Sequence[Any]) -> None:
        """Settle all text fields of one of `options` (dataclasses) when the first of them is said.

        ``{who.field}`` says one; `records` holds the chosen one from then on.
        """

        def settle(field: str) -> str:
            chosen = self.one(options)
            self.records[who] = chosen
            self.know(who, **{k: v for k, v in vars(chosen).items() if isinstance(v, str)})
            return str(getattr(chosen, field))

        for name in (field.name for field in dataclasses.fields(options[0])):
            self.facts[f"{who}.{name}"] = functools.partial(settle, name)

    def cast(
        self, who: str, kinds: Sequence[tuple[str, str]], names: Sequence[tuple[str, str]]
    ) -> None:
        """A character: ``{who.kind}``, ``{who}`` (the name) and its pronouns,
        ``{he}`` of the hero and ``{who.he}`` of others.

        Kinds and names stand beside their possible pronouns ("f", "m" or "fm"); whichever of the
        two is said first narrows the other. No two characters share a name.
        """

        def kind() -> str:
            known = self.facts.get(f"{who}.sex", "fm")
            word, sex = self.one([each for each in kinds if set(each[1]) & set(str(known))])
            self.facts.setdefault(f"{who}.sex", sex)
            return word

        def name() -> str:
            known = str(self.facts.get(f"{who}.sex", "fm"))
            word, sex = self.one(
                [each for each in names if each[1] in known and each[0] not in self._names]
            )
            self.facts[f"{who}.sex"] = sex
            self._names.add(word)
            return word

        self.facts |= {who: name, f"{who}.kind": kind}
        for pronoun in PRONOUNS["f"]:
            slot = pronoun if who == "hero" else f"{who}.{pronoun}"
            self.facts[slot] = functools.partial(self._pronoun, who, pronoun)

    def _pronoun(self, who: str, pronoun: str) -> str:
        self.fact(who)
        return PRONOUNS[str(self.facts[f"{who}.sex"])][pronoun]


Telling = Callable[[Teller], None]


def draw(telling: Telling, seed: str) -> tuple[str, float]:
    """The story that `seed` draws, and how much was chosen, in nats.

    That is minus the logarithm of the story's probability, or a little more where two ways to
    tell lead to the same text: no model can predict the stories with less on average.
    """
    source, nats = random.Random(seed), 0.0

    def choose(options: int) -> int:
        nonlocal nats
        nats += math.log(options)
        return source.randrange(options)

    teller = Teller(choose)
    telling(teller)
    return teller.text, nats


class _Undecided(Exception):
    """The known choices are used up; `options` ways lead on."""

    def __init__(self, text: str, options: int) -> None:
        super().__init__()
        self.text, self.options = text, options


def recognise(telling: Telling, text: str) -> tuple[bool, int]:
    """Whether `text` is a whole story of `telling`, and how many of its characters can begin one.

    A depth-first search over the choices, which drops those that say something else.
    """
    longest = 0
    paths: list[tuple[int, ...]] = [()]
    while paths:
        path = paths.pop()
        said, options = _follow(telling, path)
        common = _common(said, text)
        longest = max(longest, common)
        if options is None:
            if said == text:
                return True, len(text)
        elif common == len(said):
            paths += [(*path, choice) for choice in reversed(range(options))]
    return False, longest


def _follow(telling: Telling, path: tuple[int, ...]) -> tuple[str, int | None]:
    """What is said along `path`, and the number of ways on from there, None at the end."""
    choices = iter(path)

    def choose(options: int) -> int:
        choice = next(choices, None)
        if choice is None:
            raise _Undecided(teller.text, options)
        return choice

    teller = Teller(choose)
    try:
        telling(teller)
    except _Undecided as undecided:
        return undecided.text, undecided.options
    return teller.text, None


def _common(said: str, text: str) -> int:
    """The length of the common beginning."""
    if text.startswith(said):
        return len(said)
    return next(at for at, char in enumerate(said) if at >= len(text) or text[at] != char)
