"""What is compared of a token that a reset cuts off, on steps that golden makes up."""

import dataclasses

import numpy as np
import pytest

from golden.case import Feed
from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.quantise import quantise
from sim.compare import Flattener, Reference, judge
from sim.opinions.golden import Speaking
from spec.config import named
from spec.trace import Tensor

NANO = named("nano")
MODEL = quantise(random_checkpoint(NANO.shape, 1), NANO)
FEED = Feed(3, True, True, reset=40)


def reference():
    return Reference(FixedDecoder(MODEL), NANO)


@pytest.fixture
def whole():
    """All of the token, as if nothing had been cut off."""
    return Speaking(FixedDecoder(MODEL), NANO).feed(FEED)


def cut(whole, records=20, logits=0, answered=False):
    """It, after so many records and logits; its counters are wrong."""
    return dataclasses.replace(
        whole,
        id=whole.id if answered else -1,
        end=whole.end if answered else False,
        logits=whole.logits[:logits],
        macs=whole.macs + 1,
        records=whole.records[:records].copy(),
        reset=True,
    )


def judged(step):
    return judge(Flattener(NANO), reference().feed(FEED), step)


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("logits", [0, 5])
@pytest.mark.parametrize("records", [0, 20])
def test_nothing_is_missing(whole, records, logits, answered):
    assert judged(cut(whole, records, logits, answered)) is None


def test_all_must_be_there_unless_it_was_cut_off(whole):
    assert judged(whole) is None
    difference = judged(dataclasses.replace(whole, records=whole.records[:20]))
    assert difference is not None and difference.kind == "missing"
    counted = dataclasses.replace(whole, macs=whole.macs + 1)
    assert str(judged(counted)).startswith("position 0 (token 3), counter macs")


def test_what_came_before_is_compared(whole):
    wrong = cut(whole)
    wrong.records["value"][7] += 1
    twice = cut(whole)
    twice.records[8] = twice.records[7]
    stray = cut(whole)  # in a layer that is not there
    stray.records["tensor"][-1], stray.records["layer"][-1] = Tensor.SILU.value, NANO.shape.layers
    for step, kind in ((wrong, "value"), (twice, "twice"), (stray, "unexpected")):
        difference = judged(step)
        assert difference is not None and difference.kind == kind
    logits = cut(whole, logits=5)
    logits = dataclasses.replace(logits, logits=logits.logits + (np.arange(5) == 4))
    assert "LOGITS[4]" in str(judged(logits)) and "on o_logits" in str(judged(logits))
    answer = dataclasses.replace(cut(whole, answered=True), id=whole.id ^ 1)
    assert "golden chooses" in str(judged(answer))
    end = dataclasses.replace(cut(whole, answered=True), end=not whole.end)
    assert "o_token.end" in str(judged(end))


def test_a_text_begins_behind_a_reset():
    anew, behind = reference(), reference()
    anew.feed(Feed(3, True, False))
    behind.feed(Feed(3, True, False, reset=10**6))
    assert anew.feed(Feed(5, False, False)).position == 1
    expected = behind.feed(Feed(5, False, False))
    assert expected.position == 0
    first = reference().feed(Feed(5, True, False))
    assert np.array_equal(expected.values, first.values)
