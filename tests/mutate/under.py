"""Functions for `mutate.process`."""

import errno
import os
import signal
import subprocess
import sys
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


def give_up() -> None:
    """As a library may, with a message."""
    print("no more", file=sys.stderr, flush=True)
    os._exit(3)


def lack_space() -> None:
    """As if the disk were full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def lack_memory() -> None:
    """As if another had all of it."""
    raise MemoryError


def spin() -> None:
    """Longer than anybody waits."""
    while True:
        pass


def start_and_spin() -> None:
    """The same in another process."""
    subprocess.run([sys.executable, "-c", "while True: pass"], check=True)


def sleep() -> None:
    """Longer than anybody waits, without doing anything."""
    time.sleep(60)


def doze() -> None:
    """For a while, as on a busy machine."""
    time.sleep(1)


def surroundings() -> tuple[dict[str, str], str]:
    """The environment, and the folder."""
    return dict(os.environ), os.getcwd()


def start_and_sleep(path: str) -> None:
    """Sleep in another process, in a group of its own, whose number goes to `path`."""
    other = subprocess.Popen(["sleep", "60"], process_group=0)
    Path(path).write_text(str(other.pid))
    other.wait()
