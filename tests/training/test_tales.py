"""The grammar: it always tells the same, it reads what it tells, and nothing else."""

import hashlib
import math

import pytest

from golden.checkpoints import DEFAULT
from golden.tokenizers import tokenizer_of
from training.tales import tell
from training.tales.words import COLOURS, NAMES
from training.teller import Teller, draw, recognise

STORIES = [draw(tell, f"1/{number}") for number in range(120)]
#: Of the stories above and what they leave open: a change needs another model.
DIGEST = "da09febeb77c229df8d1d87aef79ffa9d2db1ac3d67d3b30578f924d43d8c20f"


def test_a_seed_draws_the_same_story_everywhere():
    text = "".join(f"{text}\n{nats:.6f}\n" for text, nats in STORIES)
    assert hashlib.sha256(text.encode()).hexdigest() == DIGEST


def test_every_story_is_whole():
    for text, nats in STORIES:
        assert recognise(tell, text) == (True, len(text))
        assert text[0].isupper() and text[-1] in '."' and "{" not in text and "  " not in text
        assert 30 < nats < 60


def test_stories_fit_the_context():
    """But for one in a hundred, which a training sees without its end."""
    tokenizer = tokenizer_of(DEFAULT, 512)
    tokens = [len(tokenizer.encode(text)) for text, _ in STORIES]
    assert min(tokens) > 200 and max(tokens) < 540
    # With BOS in front and behind.
    assert sum(count <= 512 - 1 for count in tokens) >= 0.97 * len(tokens)


def test_stories_differ():
    assert len({text for text, _ in STORIES}) == len(STORIES)
    plots = ("riddles", "was ill", "broke", "bridge", "afraid of", "magpie")
    assert all(any(plot in text for text, _ in STORIES) for plot in plots)


def changed(text: str, old: str, new: str) -> str | None:
    """`text` with another word for the last `old`, if there is one before and something behind."""
    if text.count(old) < 3 or text.endswith(old):
        return None
    before, _, behind = text.rpartition(old)
    return before + new + behind


@pytest.mark.parametrize(
    "pairs",
    [
        [(" he ", " she "), (" she ", " he "), (" his ", " her "), (" her ", " his ")],
        [(f" {one} ", " pink ") for one in COLOURS] + [("red", "blue")],
        [(f"{name},", "Mia,") for name, _ in NAMES] + [(f" {name} ", " Mia ") for name, _ in NAMES],
        [(".", "!"), (" the ", " a ")],
    ],
    ids=["pronouns", "colours", "names", "signs"],
)
def test_a_word_that_does_not_fit_is_noticed(pairs: list[tuple[str, str]]):
    """All must agree with what was said before."""
    wrong = [changed(text, *pair) for text, _ in STORIES[:40] for pair in pairs]
    result = [(*recognise(tell, text), len(text)) for text in wrong if text is not None]
    assert len(result) >= 10
    assert all(not whole and good < length for whole, good, length in result)


def test_a_beginning_is_no_whole_story():
    text, _ = STORIES[0]
    assert recognise(tell, text[:-1]) == (False, len(text) - 1)
    assert recognise(tell, text + " ") == (False, len(text))
    assert recognise(tell, "") == (False, 0)


def test_what_was_chosen_is_counted():
    def toy(t: Teller) -> None:
        t.later("fruit", ("apple", "pear", "fig", "plum"))
        t.say("I see {fruit:a}.", "I eat {fruit:a}.")
        t.say("{Fruit} is good.")

    told = {draw(toy, str(seed)) for seed in range(200)}
    assert len(told) == 8
    assert all(nats == pytest.approx(math.log(8)) for _, nats in told)
    assert recognise(toy, "I see an apple. Apple is good.") == (True, 30)
    assert recognise(toy, "I see an apple. Pear is good.") == (False, 16)
    assert recognise(toy, "I see a apple. Apple is good.")[0] is False
