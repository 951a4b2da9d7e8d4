"""What workers do."""

import os
import signal
import time
from pathlib import Path


def squared(item: int) -> int:
    """Quickly done."""
    return item * item


def divided(item: int) -> float:
    """Of 0 there is none."""
    return 1 / item


def die(item: int) -> None:
    """As the system may end it."""
    os.kill(os.getpid(), signal.SIGKILL)


def slowly_squared(item: tuple[str, int]) -> int:
    """Leaves time to be killed, and the number of its process in a folder."""
    folder, number = item
    mark = Path(folder) / str(os.getpid())
    mark.touch()
    time.sleep(0.1)
    mark.unlink(missing_ok=True)
    return number * number
