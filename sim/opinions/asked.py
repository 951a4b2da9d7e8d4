"""Asks all opinions on a case, and shows what they say."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from golden.case import Case
from golden.quantise import Model
from sim.compare import Difference, Expected, compare_with, expectations
from sim.opinions import OPINIONS, Opinion
from sim.opinions.golden import Page
from tools.errors import BadInput


@dataclass(frozen=True)
class Said:
    """What one opinion came to: the tokens and values compared with the page, the seconds it took
    (building included), and its first difference. `reason` is why it was not asked."""

    opinion: Opinion
    tokens: int = 0
    values: int = 0
    seconds: float = 0.0
    difference: Difference | None = None
    reason: str = ""

    @property
    def verdict(self) -> str:
        """In words."""
        if self.reason:
            return f"NOT RUN: {self.reason}"
        return f"{self.difference}" if self.difference else "agrees"


def ask(
    model: Model,
    case: Case,
    opinions: Sequence[Opinion] = tuple(Opinion),
    watch: Callable[[Opinion], None] = lambda opinion: None,
) -> Iterator[Said]:
    """Ask `opinions` about the tokens of `case`, each compared with golden as the page; `watch` is
    called before each."""
    watch(Opinion.PAGE)
    begin = time.perf_counter()
    expected = list(expectations(Page(model), model.config, case.host(model.config.shape)))
    seconds = time.perf_counter() - begin
    if Opinion.PAGE in opinions:
        values = sum(len(one.keys) for one in expected)
        yield Said(Opinion.PAGE, len(expected), values, seconds)
    for opinion in opinions:
        if opinion is not Opinion.PAGE:
            watch(opinion)
            yield _asked(model, case, opinion, expected)


def _asked(model: Model, case: Case, opinion: Opinion, expected: Sequence[Expected]) -> Said:
    begin, tokens, values = time.perf_counter(), 0, 0
    difference = None
    try:
        decoder = OPINIONS[opinion](model, case)
    except BadInput as error:
        return Said(opinion, reason=str(error))
    with contextlib.ExitStack() as stack:
        if isinstance(decoder, contextlib.AbstractContextManager):
            stack.enter_context(decoder)
        for progress in compare_with(expected, decoder):
            tokens, values, difference = tokens + 1, progress.values, progress.difference
    return Said(opinion, tokens, values, time.perf_counter() - begin, difference)


def table(said: Sequence[Said], title: str) -> Table:
    """A row for each."""
    rows = Table(title=title, title_justify="left")
    rows.add_column("opinion")
    for column in ("tokens", "values", "seconds"):
        rows.add_column(column, justify="right")
    rows.add_column("first difference", overflow="fold")
    for one in said:
        colour = "bold red" if one.difference else "yellow" if one.reason else "green"
        numbers = (f"{one.tokens}", f"{one.values:,}", f"{one.seconds:.1f}")
        shown = ("", "", "") if one.reason else numbers
        verdict = one.verdict if one.opinion is not Opinion.PAGE else "is the specification"
        rows.add_row(one.opinion.value, *shown, f"[{colour}]{escape(verdict)}[/]")
    return rows
