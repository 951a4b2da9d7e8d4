"""Functions for `mutate.process`."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tools.sources import SOURCES


def width() -> tuple[int, str | None]:
    """The width of a format, and the digest of the module that computes it."""
    from spec.fixed import SQ

    return SQ(6, 12).width, SOURCES.digest("spec.fixed")


def crash() -> None:
    """As compiled code may."""
    os.abort()


def leave() -> None:
    """As if somebody else had ended the process, for instance a system without memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def sleep() -> None:
    """Longer than anybody waits."""
    time.sleep(60)


def start_and_sleep(path: str) -> None:
    """The same in another process, whose number goes to `path`."""
    other = subprocess.Popen(["sleep", "60"])
    Path(path).write_text(str(other.pid))
    other.wait()
