"""Processes of this machine."""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from tools.farm.farm import Start


@dataclass(frozen=True)
class LocalFarm:
    """`jobs` processes. One that is killed loses what it was doing, and nothing else."""

    jobs: int
    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Start]:
        """Started on first use; ended with the context."""
        workers = _Workers()
        threads = ThreadPoolExecutor(self.jobs)
        try:
            yield lambda function, items: [
                threads.submit(workers.call, function, item) for item in items
            ]
        finally:
            threads.shutdown(cancel_futures=True)
            workers.end()


class _Workers:
    """A pool of one process for each thread: a pool breaks as a whole."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._pools: list[ProcessPoolExecutor] = []

    def call(self, function: Callable[[Any], Any], item: Any) -> Any:
        """``function(item)`` in the process of this thread; raises BrokenProcessPool if it dies."""
        pool = getattr(self._of_thread, "pool", None)
        if pool is None:
            # Not forked: this process has threads.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
            self._of_thread.pool = pool
            self._pools.append(pool)
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool:
            self._of_thread.pool = None
            raise

    def end(self) -> None:
        """End all processes."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ignore Ctrl-C: it ends the parent process, and this one with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
