"""How much memory there is, asked before much of it is taken.

Linux grants what it does not have and ends the process when it is used; and a size in a file, or
on the command line, costs nobody anything to write down.
"""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from tools.errors import BadInput

_MEMINFO = Path("/proc/meminfo")
#: Where control groups (version 2, version 1) tell what a container may take.
_GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def available() -> int:
    """Bytes that this process may still take, as far as the system tells."""
    return min(_limits())


def _limits() -> Iterator[int]:
    yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        if "MemAvailable" in lines:
            yield 1024 * int(lines["MemAvailable"].split()[0])
    for path in _GROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number, and no limit
            yield int(path.read_text())
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield limit


def check_fits(size: int, what: str) -> None:
    """Refuse to take `size` bytes for `what` where there are fewer."""
    room = available()
    if size > room:
        raise BadInput(f"{what} needs {size / 1e9:.1f} GB of memory, there are {room / 1e9:.1f}")
