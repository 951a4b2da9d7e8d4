"""The CPU time of other processes, for limits that do not depend on how busy the machine is."""

import sys
import time

#: Whether the system has an exact CPU clock per process. Linux counts the CPU time of RLIMIT_CPU in
#: ticks, which is wrong by a factor when processes share a CPU; a verdict must not depend on that.
EXACT = sys.platform == "linux"


def cpu_seconds(process: int) -> float:
    """CPU seconds of a process by its id; 0 if it has ended. Only where `EXACT`."""
    try:
        # The clock id of clock_getcpuclockid(3), which Python does not provide.
        return time.clock_gettime(~process << 3 | 2)
    except OSError:
        return 0.0
