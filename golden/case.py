"""The test case of a reproducer: its tokens, and the seed of the stalls of the streams."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from spec.config import Config
from tools.errors import BadInput

#: Seeds of stalls are below this.
STALL_SEEDS = 1 << 60


@dataclass(frozen=True)
class Case:
    """A run for comparing golden and RTL: forced tokens, number of steps, seed of the stalls.

    Raises :class:`BadInput`, naming the field, for an impossible value.
    """

    prompt: tuple[int, ...]
    steps: int
    stalls: int | None = None

    def __post_init__(self):
        if not self.prompt or not all(_whole(token, 0) for token in self.prompt):
            raise BadInput(f"case.prompt = {list(self.prompt)} must be token ids, at least one")
        if not _whole(self.steps, 1):
            raise BadInput(f"case.steps = {self.steps!r} must be a positive integer")
        if self.stalls is not None and not (_whole(self.stalls, 0) and self.stalls < STALL_SEEDS):
            raise BadInput(f"case.stalls = {self.stalls!r} must be null or 0 to 2**60 - 1")

    def check(self, config: Config) -> None:
        """Raise :class:`BadInput` when the prompt does not fit the vocabulary or the context."""
        shape = config.shape
        if max(self.prompt) >= shape.vocab:
            raise BadInput(
                f"case.prompt holds {max(self.prompt)}, which is not below vocab = {shape.vocab}"
            )
        if len(self.prompt) > shape.seq_len:
            raise BadInput(f"case.prompt has {len(self.prompt)} tokens, seq_len = {shape.seq_len}")

    def to_json(self) -> str:
        """One line, read by `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Case":
        """The inverse of `to_json`; raises :class:`BadInput` for anything else."""
        try:
            values: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"case is not readable ({error})") from None
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise BadInput(f"case is not readable (must hold {', '.join(names)})")
        if not isinstance(values["prompt"], list):
            raise BadInput(f"case.prompt = {values['prompt']!r} must be a list")
        return cls(**values | {"prompt": tuple(values["prompt"])})


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
