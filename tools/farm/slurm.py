"""Job arrays of Slurm, by submitit; without ``srun`` processes of this machine take their place."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tools.farm.farm import Start, needs
from tools.sources import ROOT

try:
    import submitit
except ImportError:
    submitit = None

#: Items of one job of the array; minutes that it may take; seconds between two looks at the jobs.
SHARD, MINUTES, LOOK = 8, 240, 0.5
FOLDER = ROOT / "build" / "farm" / "%j"


@dataclass(frozen=True)
class SlurmFarm:
    """At most `jobs` jobs of a processor each at a time, which see the same folder as this process.

    Slurm requeues what it preempts; what fails is submitted again here.
    """

    jobs: int
    folder: Any = FOLDER

    def __post_init__(self) -> None:
        if submitit is None:
            raise needs("submitit")

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """What a job without a result raises."""
        return (submitit.core.utils.UncompletedJobError,)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Start]:
        """Jobs that are not done at the end are cancelled."""
        executor = submitit.AutoExecutor(folder=self.folder)
        executor.update_parameters(
            name="veridecode", timeout_min=MINUTES, cpus_per_task=1,
            slurm_array_parallelism=self.jobs,
        )  # fmt: skip
        jobs: list[Any] = []
        stopped = threading.Event()

        def start(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Future]:
            size = -(-len(items) // self.jobs)  # processes of this machine would all start at once
            if executor.cluster == "slurm":
                size = min(SHARD, size)
            shards = [items[at : at + size] for at in range(0, len(items), size)]
            with executor.batch():
                jobs.extend(executor.submit(_all, function, shard) for shard in shards)
            waiting = [(job, [Future() for _ in shard]) for job, shard in zip(jobs, shards)]
            threading.Thread(target=_collect, args=(waiting, stopped), daemon=True).start()
            return [future for _, futures in waiting for future in futures]

        try:
            yield start
        finally:
            stopped.set()
            for job in jobs:
                if not job.done():
                    job.cancel(check=False)


def _all(function: Callable[[Any], Any], shard: Sequence[Any]) -> list[Any]:
    return [function(item) for item in shard]


def _collect(waiting: list[tuple[Any, list[Future]]], stopped: threading.Event) -> None:
    """Fulfil the futures of each job as it ends."""
    while waiting and not stopped.is_set():
        for job, futures in [entry for entry in waiting if entry[0].done()]:
            waiting.remove((job, futures))
            try:
                answers = job.result()
            except Exception as error:
                for future in futures:
                    future.set_exception(error)
            else:
                for future, answer in zip(futures, answers, strict=True):
                    future.set_result(answer)
        time.sleep(LOOK)
