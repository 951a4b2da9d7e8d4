"""What the server of `mutate.process` is asked, and what it answers."""

import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

#: `done`: the function returned; `raised`: an import or the function raised; `crashed`: the process
#: did, in compiled code; `late`: it used up its CPU time; `unanswered`: it hung, was ended by
#: others, or lacked something that the machine did not have.
Status = Literal["done", "raised", "crashed", "late", "unanswered"]
#: The executed lines of each file of the mutated rooms.
Lines = dict[str, set[int]]
#: Errors of a system that has no more memory, processes, files or space.
_SCARCE = {
    errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT,
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A call of `function` (``module:name``), as `mutate.process.call` has it."""

    function: str
    arguments: tuple[Any, ...]
    path: str
    content: bytes
    limit: float
    observe: tuple[str, ...]
    environment: dict[str, str]
    log: Path | None


@dataclass(frozen=True)
class Answer:
    """What became of a call: its `value`, or in `detail` why there is none.

    `seconds` are those of the CPU, of the process and of all that it started.
    """

    status: Status
    value: Any = None
    detail: str = ""
    seconds: float = 0.0
    lines: Lines = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether it is known what the call does."""
        return self.status not in ("late", "unanswered")


def is_scarce(error: BaseException) -> bool:
    """Whether an exception says what the machine lacks, which no mutant is to blame for."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SCARCE)
