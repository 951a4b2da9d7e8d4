"""Job arrays of Slurm, by submitit; without ``srun`` processes of this machine take their place."""

import contextlib
import subprocess
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
#: Seconds between two questions to Slurm, and after how many a job that is not there has ended.
QUEUE, LATE = 2.0, 2
FOLDER = ROOT / "build" / "farm" / "%j"
#: Jobs that have not ended, with the futures of their items.
_Waiting = list[tuple[Any, list[Future]]]


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
            waiting: _Waiting = [
                (job, [Future() for _ in shard]) for job, shard in zip(jobs, shards, strict=True)
            ]
            futures = [future for _, of_job in waiting for future in of_job]
            ended = _Queue() if executor.cluster == "slurm" else _has_ended
            threading.Thread(target=_collect, args=(waiting, ended, stopped), daemon=True).start()
            return futures

        try:
            yield start
        finally:
            stopped.set()
            for job in jobs:
                if not job.done():
                    job.cancel(check=False)


def _all(function: Callable[[Any], Any], shard: Sequence[Any]) -> list[Any]:
    return [function(item) for item in shard]


def _collect(waiting: _Waiting, ended: Callable[[Any], bool], stopped: threading.Event) -> None:
    """Fulfil the futures of each job as it ends."""
    while waiting and not stopped.wait(LOOK):
        for job, futures in list(waiting):
            try:
                if not job.paths.result_pickle.exists():
                    if not ended(job):
                        continue
                    raise submitit.core.utils.UncompletedJobError(f"job {job.job_id} has no result")
                answers = job.result()
            except Exception as error:
                for future in futures:
                    future.set_exception(error)
            else:
                for future, answer in zip(futures, answers, strict=True):
                    future.set_result(answer)
            waiting.remove((job, futures))


def _has_ended(job: Any) -> bool:
    """Whether a process of this machine has."""
    return job.done(force_check=True)


class _Queue:
    """Asks Slurm which jobs wait or run: without accounting it says no more of those that ended."""

    def __init__(self) -> None:
        self._jobs: set[str] = set()
        self._asked = 0.0
        self._absent: dict[str, int] = {}

    def __call__(self, job: Any) -> bool:
        """Whether a job has ended, some looks ago: its result may come late over the network."""
        if time.monotonic() - self._asked > QUEUE:
            command = ["squeue", "--me", "--array", "--noheader", "--format=%i"]
            asked = subprocess.run(command, capture_output=True, text=True, check=True)
            self._jobs, self._asked = set(asked.stdout.split()), time.monotonic()
            for known in self._absent:
                self._absent[known] = 0 if known in self._jobs else self._absent[known] + 1
        return self._absent.setdefault(job.job_id, 0) > LATE
