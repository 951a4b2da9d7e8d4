"""Equivalence proved of the changed modules: what is equivalent, and what is not."""

import pytest

from mutate import baseline
from mutate.controls import Control
from mutate.equivalence import Equivalence

ARGMAX, CACHE = "design/argmax.py", "design/cache.py"


@pytest.fixture(scope="module")
def equivalence(tmp_path_factory) -> Equivalence:
    folder = tmp_path_factory.mktemp("equivalence")
    decoders = baseline.decoders(("nano",), folder, lambda text: None)
    return Equivalence(decoders, folder, lambda text: None)


@pytest.mark.parametrize(
    ("path", "before", "after", "equivalent"),
    [
        (ARGMAX, "take & ~queue.w_rdy", "~queue.w_rdy & take", True),
        (CACHE, "self.wr_en_k & is_layer", "is_layer & self.wr_en_k", True),
        (ARGMAX, "logit.value > greatest", "logit.value >= greatest", False),
        (ARGMAX, "self.i.p.row == last_row", "self.i.p.row == last_row - 1", False),
        (CACHE, "self.wr_en_k & is_layer", "self.wr_en_k", False),
    ],
)
def test_a_change_is_equivalent_or_not(equivalence, path, before, after, equivalent):
    case = Control(path, before, after).case()
    case.executed_in = case.differs_in = ["nano"]
    equivalence.run([case])
    assert (case.proved_in == ["nano"]) == equivalent
    assert case.status == ("EQUIVALENT" if equivalent else "SURVIVOR")
    assert ("proved by ABC" in case.reason) == equivalent
