"""The registry of planted bugs beside those of the table: each with the property that catches it.

Every task plants one bug of its own (`Task.bug`). Those here once passed the whole suite, or
stand for a kind of mistake that one bug a task does not cover; each names a task and one of its
configurations, which must refuse it. `tests/formal/test_planted.py` plants them all.
"""

from formal.planted.biases import BIASES
from formal.planted.bug import Planted
from formal.planted.compared import COMPARED, COUNTERS
from formal.planted.duties import DUTIES
from formal.planted.leaks import LEAKS
from formal.planted.lemmas import LEMMAS
from formal.planted.operands import OPERANDS
from formal.planted.slots import CLOCK_ENABLES, SLOTS
from formal.planted.widths import WIDTHS

__all__ = ["COUNTERS", "PLANTED", "Planted"]

PLANTED: tuple[Planted, ...] = (
    *LEAKS,
    *WIDTHS,
    *SLOTS,
    *CLOCK_ENABLES,
    *LEMMAS,
    *DUTIES,
    *OPERANDS,
    *BIASES,
    *COMPARED,
)
