"""Processes of this machine."""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from tools.farm.farm import Start


@dataclass(frozen=True)
class LocalFarm:
    """`jobs` processes. If one is killed, the pool loses all that is not done, and starts anew."""

    jobs: int
    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Start]:
        """Started on first use; ended with the context."""
        # Not forked: this process may have threads.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.jobs, mp_context=context, initializer=_begin)
        try:
            yield lambda function, items: [_submitted(pool, function, item) for item in items]
        finally:
            pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, function: Callable[[Any], Any], item: Any) -> Future:
    """A future, even of a pool that is broken by now."""
    try:
        return pool.submit(function, item)
    except BrokenProcessPool as error:
        future: Future = Future()
        future.set_exception(error)
        return future


def _begin() -> None:
    """Ignore Ctrl-C: it ends the parent process, and this one with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
