"""The stories: a wish, a mishap, a helper, an end, each with its causes.

A small grammar in Python: `tell` writes one story by the choices of a `training.teller.Teller`.
"""

from training.tales.deeds import afraid, broken, found, visit
from training.tales.opening import opening
from training.tales.wishes import lost, made
from training.tales.words import COLOURS, EVENINGS, FAMILY, HEROES, NAMES
from training.teller import Teller

__all__ = ["tell"]


def tell(t: Teller) -> None:
    """One story, from its opening to its end."""
    t.cast("hero", HEROES, NAMES)
    t.later("family", FAMILY)
    t.later("colour", COLOURS)
    t.later("evening", EVENINGS)
    opening(t)
    t.one((lost, made, visit, broken, found, afraid))(t)
