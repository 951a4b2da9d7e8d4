"""Tells stories by choices: the same telling draws one at random, or recognises one.

A telling (`training.tales.tell`) is a plain function that writes text and, wherever it has several
continuations, calls `choose` with their number. Choices are made as late as possible, which lets
:func:`recognise` follow a text from its beginning.
"""

import dataclasses
import functools
import math
import random
from collections.abc import Callable, Sequence
from string import Formatter
from typing import Any, TypeVar

Value = TypeVar("Value")
#: Takes the number of continuations and returns one of them.
Choose = Callable[[int], int]

#: The pronouns of a character, by the letter beside its name.
PRONOUNS = {
    "f": {"he": "she", "him": "her", "his": "her", "himself": "herself"},
    "m": {"he": "he", "him": "him", "his": "his", "himself": "himself"},
}


class Teller:
    """The state of a story: its text, and its facts so far.

    `facts` maps the name of a slot to its text, or to a function that chooses it at its first use.
    A slot written with a capital letter is capitalised.
    """

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self.facts: dict[str, str | Callable[[], str]] = {}
        self.records: dict[str, Any] = {}
        self._names: set[str] = set()
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    def one(self, options: Sequence[Value]) -> Value:
        """One of `options`."""
        return options[self._choose(len(options)) if len(options) > 1 else 0]

    def say(self, *options: str) -> None:
        """Say one of `options`, after a space unless at the beginning of the text or a line."""
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
        """The text of a slot, chosen at its first use; with "a" or "an" if `article` is "a"."""
        key = slot[0].lower() + slot[1:]
        value = self.facts[key]
        if callable(value):
            value = value()
            self.facts[key] = value
        if article == "a":
            value = f"{'an' if value[0] in 'aeiou' else 'a'} {value}"
        return value if key == slot else value[0].upper() + value[1:]

    def later(self, slot: str, options: Sequence[str]) -> None:
        """Choose the text of a slot from `options` at its first use."""
        self.facts[slot] = lambda: self.one(options)

    def know(self, who: str, **facts: str) -> None:
        """Set several slots ``who.name`` at once."""
        self.facts.update({f"{who}.{name}": value for name, value in facts.items()})

    def record(self, who: str, options: Sequence[Any]) -> None:
        """Choose one of `options` (dataclasses) at the first use of a text field ``{who.field}``.

        `records` holds the chosen one from then on.
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

        Kinds and names come with their possible pronouns ("f", "m" or "fm"); the first of the two
        to be said restricts the other. No two characters share a name.
        """

        def kind() -> str:
            known = self.facts.get(f"{who}.sex", "fm")
            word, sex = self.one([option for option in kinds if set(option[1]) & set(str(known))])
            self.facts.setdefault(f"{who}.sex", sex)
            return word

        def name() -> str:
            known = str(self.facts.get(f"{who}.sex", "fm"))
            word, sex = self.one(
                [(name, sex) for name, sex in names if sex in known and name not in self._names]
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
    """The story that `seed` draws, and the entropy of its choices, in nats.

    That is minus the logarithm of the story's probability, or a little more if several sequences of
    choices lead to the same text: a lower bound of the loss of any model, on average.
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
    """All known choices are used; there are `options` continuations."""

    def __init__(self, text: str, options: int) -> None:
        super().__init__()
        self.text, self.options = text, options


def recognise(telling: Telling, text: str) -> tuple[bool, int]:
    """Whether `text` is a whole story of `telling`, and the length of its longest prefix that can
    begin one.

    A depth-first search over the choices, without those that lead to another text.
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
    """The text along `path`, and the number of continuations, None at the end."""
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
    """The length of the common prefix."""
    if text.startswith(said):
        return len(said)
    return next(n for n, char in enumerate(said) if n >= len(text) or text[n] != char)
