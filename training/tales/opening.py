"""How a story begins."""

from training.tales.mishaps import THINGS
from training.tales.words import HABITS, HOMES, TRAITS
from training.teller import Teller


def opening(t: Teller) -> None:
    """Who, and where."""
    t.later("trait", TRAITS)
    t.later("home", HOMES)
    t.say(
        "Once upon a time there was {trait:a} {hero.kind} named {hero}. {He} lived {home}.",
        "Once upon a time there was {hero.kind:a} named {hero}, who lived {home}.",
        "Once upon a time, {trait:a} {hero.kind} lived {home}. {His} name was {hero}.",
        "Once upon a time, {home}, there lived {trait:a} {hero.kind} named {hero}.",
        "There was once {trait:a} {hero.kind} named {hero}, who lived {home}.",
        "Long ago {trait:a} {hero.kind} named {hero} lived {home}.",
        "{Hero} was {trait:a} {hero.kind} and lived {home}.",
    )


def habit(t: Teller) -> None:
    """What every day is like, before one is not."""
    t.later("habit", HABITS)
    t.say("Every morning {he} {habit}.", "Each day {he} {habit}.", "{He} {habit} every morning.")


def thing(t: Teller) -> None:
    """``{thing}``, with its colour: what the hero loves or wants."""
    t.record("thing", THINGS)
    t.facts["thing"] = lambda: f"{t.fact('colour')} {t.fact('thing.name')}"
