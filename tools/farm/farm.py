"""What a farm is, and how work is spread on one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from tools.errors import BadInput

T = TypeVar("T")
R = TypeVar("R")
#: Starts a function on each of some items, a future for each.
Start = Callable[[Callable[[Any], Any], Sequence[Any]], list[Future]]
#: So often workers may be lost, one after the other, without a single answer in between.
MOST_BARREN = 10


class FarmError(RuntimeError):
    """Workers are lost again and again: the items named are not done."""


class Farm(Protocol):
    """Where work is done."""

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """The exceptions of a future whose worker was lost."""

    def opened(self) -> AbstractContextManager[Start]:
        """Workers, as long as the context lasts."""


def spread(farm: Farm, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
    """``function(item)`` of each item, as they are ready; what workers lose is done again.

    The function, items and answers are pickled. Its exceptions are raised here. Raises FarmError
    after `MOST_BARREN` losses without an answer.
    """
    left, barren = list(range(len(items))), 0
    while left:
        lost: list[int] = []
        with farm.opened() as start:
            futures = start(function, [items[number] for number in left])
            numbers = dict(zip(futures, left, strict=True))
            for future in as_completed(numbers):
                try:
                    answer = future.result()
                except farm.lost:
                    lost.append(numbers[future])
                    continue
                barren = 0
                yield items[numbers[future]], answer
        barren += 1
        left = sorted(lost)
        if left and barren > MOST_BARREN:
            names = ", ".join(str(items[number]) for number in left[:5])
            raise FarmError(f"workers are lost again and again; not done: {names}")


def named(name: str, jobs: int) -> Farm:
    """The farm of that name: ``local`` with `jobs` processes, ``slurm`` with as many jobs at a
    time, or ``dask=ADDRESS``. Raises BadInput for another, or if its package is not installed."""
    # Their packages are optional.
    from tools.farm.dask import DaskFarm
    from tools.farm.local import LocalFarm
    from tools.farm.slurm import SlurmFarm

    kind, _, address = name.partition("=")
    if name == "local":
        return LocalFarm(jobs)
    if name == "slurm":
        return SlurmFarm(jobs)
    if kind == "dask" and address:
        return DaskFarm(address)
    raise BadInput(f"--farm {name!r} is none of local, slurm, dask=ADDRESS")


def needs(package: str) -> BadInput:
    """What is said if an optional package is missing."""
    return BadInput(f"--farm needs {package}: pip install --group farm")
