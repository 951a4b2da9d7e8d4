"""Any cluster of Dask: LSF, PBS or Kubernetes by its own packages, or workers started by hand."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.errors import BadInput
from tools.farm.farm import Start, needs

try:
    import distributed
except ImportError:
    distributed = None

#: Seconds after which an address does not answer.
PATIENCE = 10


@dataclass(frozen=True)
class DaskFarm:
    """The workers of the scheduler at `address`, which see the same folder as this process."""

    address: str

    def __post_init__(self) -> None:
        if distributed is None:
            raise needs("distributed")

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """What the scheduler gives up after several workers have died of it, or were stopped."""
        return distributed.KilledWorker, distributed.CancelledError

    @contextlib.contextmanager
    def opened(self) -> Iterator[Start]:
        """A client of the scheduler; raises BadInput if none answers at the address."""
        try:
            client: Any = distributed.Client(self.address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise BadInput(f"--farm dask={self.address}: no scheduler answers ({error})") from None
        with client, client.get_executor(pure=False) as executor:
            yield lambda function, items: [executor.submit(function, item) for item in items]
