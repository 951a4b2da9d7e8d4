"""Tasks about the toys, and bugs in them."""

from typing import Any

from formal.tasks.task import Task
from properties.done_pulse import DonePulse
from tests.formal import toys
from tools.planting import PlantedBug

NEVER_DONE = PlantedBug(
    "the last beat ends without done",
    "tests.formal.toys",
    "Countdown.elaborate",
    "self.done.eq(1)",
    "self.done.eq(0)",
)
DONE_STAYS = PlantedBug(
    "done stays up", "tests.formal.toys", "Countdown.elaborate", "m.d.sync += self.done.eq(0)", ""
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
        "bug": DONE_STAYS,
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
