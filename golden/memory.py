"""Checks the available memory before a large allocation.

Linux grants more memory than it has, and kills the process when it uses it; and a damaged file or
a typo on the command line may ask for any size.
"""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from tools.errors import BadInput

_MEMINFO = Path("/proc/meminfo")
#: The memory limit of a container, in control groups version 2 and version 1.
_GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def available() -> int:
    """Bytes that this process may still allocate, according to the system."""
    return min(_limits())


def _limits() -> Iterator[int]:
    yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        if "MemAvailable" in lines:
            yield 1024 * int(lines["MemAvailable"].split()[0])
    for path in _GROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max" means no limit
            yield int(path.read_text())
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield limit


def check_fits(size: int, what: str) -> None:
    """Raise :class:`BadInput` if fewer than `size` bytes are available for `what`."""
    free = available()
    if size > free:
        raise BadInput(f"{what} needs {size / 1e9:.1f} GB of memory, {free / 1e9:.1f} are free")
