"""Timing on a machine with other load."""

import time
from collections.abc import Callable, Mapping


def interleaved(jobs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The best rate of each job, in units per second.

    A job does some work and returns its amount. The jobs run alternately, `rounds` times, so that
    other load affects all of them equally; the best run of each is the least disturbed one.
    """
    best = dict.fromkeys(jobs, 0.0)
    for _ in range(rounds):
        for name, job in jobs.items():
            begin = time.perf_counter()
            work = job()
            best[name] = max(best[name], work / (time.perf_counter() - begin))
    return best
