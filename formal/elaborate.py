"""Models made into netlists, in this process or in several.

Threads of one interpreter take turns, and its table of modules, in which a bug is planted, is one
for all of them. So where many proofs run at a time, models are elaborated in processes.
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
class Wanted:
    """A model: what `harness` makes of `config` and `arguments`, with the bug `bug` if any."""

    harness: Callable[..., Model]
    config: Config
    bug: PlantedBug | None
    arguments: Mapping[str, Any]


Elaborate = Callable[[Wanted], Netlist]


def here(wanted: Wanted) -> Netlist:
    """The netlist, made in this process, by one thread at a time.

    Raises what the harness raises, and ValueError for a bug whose snippet is not there.
    """
    with _BUILDING, _no_collection():
        built = build_under(wanted.bug, wanted.harness, wanted.config, **wanted.arguments)
        return netlist(built)


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[Elaborate]:
    """As `here`, but in up to `jobs` processes, which are started when they are first needed.

    What is asked for may also raise RuntimeError: such a process has read other sources than this.
    """
    # Forked from a process that has the harnesses loaded, but neither threads nor open files.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["formal.tasks"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:

        def elaborate(wanted: Wanted) -> Netlist:
            made, read = pool.submit(_answer, wanted).result()
            if changed := SOURCES.differing(read):
                raise RuntimeError(f"{', '.join(changed)} changed while this was running")
            return made

        yield elaborate


def _begin() -> None:
    """A Ctrl-C ends whoever asks; this process ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(wanted: Wanted) -> tuple[Netlist, dict[str, str]]:
    """The netlist, and the digests of the sources that this process has read."""
    return here(wanted), SOURCES.digests()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Elaboration makes many objects and few cycles: looking for some takes a third of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
