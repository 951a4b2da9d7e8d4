"""Tasks about the toys, and bugs in them. (Not in toys.py: a snippet stands there once.)"""

from typing import Any

from formal.canary import Canary
from formal.task import Task
from properties.done_pulse import DonePulse
from tests.formal import toys

NEVER_DONE = Canary(
    "the last beat ends without done",
    "tests.formal.toys",
    "m.d.sync += self.done.eq(1)",
    "m.d.sync += self.done.eq(0)",
)
DONE_STAYS = Canary(
    "done stays up",
    "tests.formal.toys",
    "        m.d.sync += self.done.eq(0)\n        with m.If(self.o.valid",
    "        with m.If(self.o.valid",
)


def toy(**changes: Any) -> Task:
    """A task about the countdown, green as it is."""
    green: dict[str, Any] = {
        "id": "toy",
        "family": "toys",
        "theorem": DonePulse,
        "harness": toys.safety,
        "arguments": {"hints": True},
        "configs": ("nano",),
        "obligations": 3,
        "canary": DONE_STAYS,
    }
    return Task(**(green | changes))


def false(**changes: Any) -> Task:
    """A task whose theorem is violated after 2 cycles."""
    wrong = {
        "id": "toy.false",
        "theorem": toys.Stays,
        "harness": toys.stays,
        "arguments": {"vacuous": False},
        "obligations": 1,
    }
    return toy(**(wrong | changes))
