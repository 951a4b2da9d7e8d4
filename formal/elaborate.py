"""Elaborates models to netlists, in this process or in several.

Threads of one interpreter do not run in parallel, and share the table of modules in which bugs are
planted. So when many proofs run in parallel, models are elaborated in processes.
"""

import contextlib
import gc
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from formal.model import Model, Netlist, netlist
from spec.config import Config
from tools.planting import PlantedBug, build_under
from tools.sources import SOURCES

_BUILDING = threading.Lock()


@dataclass(frozen=True)
class Request:
    """A model to elaborate: `harness` called with `config` and `arguments`, with `bug` planted."""

    harness: Callable[..., Model]
    config: Config
    bug: PlantedBug | None
    arguments: Mapping[str, Any]


Elaborate = Callable[[Request], Netlist]


def in_process(request: Request) -> Netlist:
    """The netlist, made in this process, by one thread at a time.

    Raises the exceptions of the harness, and ValueError for a bug whose node does not occur.
    """
    with _BUILDING, _no_collection():
        model = build_under(request.bug, request.harness, request.config, **request.arguments)
        return netlist(model)


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[Elaborate]:
    """Like `in_process`, but in up to `jobs` processes, which are started on first use.

    `elaborate` also raises RuntimeError if a process has read other sources than this one.
    """
    # Forked from a process that has the harnesses loaded, but no threads and no open files.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["formal.tasks"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:

        def elaborate(request: Request) -> Netlist:
            result, read = pool.submit(_answer, request).result()
            if changed := SOURCES.differing(read):
                raise RuntimeError(f"{', '.join(changed)} changed while this was running")
            return result

        yield elaborate


def _begin() -> None:
    """Ignore Ctrl-C: it ends the parent process, and this one with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(request: Request) -> tuple[Netlist, dict[str, str]]:
    """The netlist, and the digests of the sources that this process has read."""
    return in_process(request), SOURCES.digests()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Disable garbage collection: elaboration makes many objects and few reference cycles, and
    collections take a third of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
