"""How to time things on a machine that others use as well."""

import time
from collections.abc import Callable, Mapping


def interleaved(jobs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The best rate of each job, in its own unit a second.

    A job does some work and returns how much. All jobs take turns, `rounds` times, so that what
    else the machine does falls on all alike; the best of each is the one least disturbed.
    """
    best = dict.fromkeys(jobs, 0.0)
    for _ in range(rounds):
        for name, job in jobs.items():
            begin = time.perf_counter()
            work = job()
            best[name] = max(best[name], work / (time.perf_counter() - begin))
    return best
