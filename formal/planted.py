"""The registry of planted bugs beside those of the table: each with the property that catches it.

Every task plants one bug of its own (`Task.canary`). Those here once passed the whole suite, or
stand for a kind of mistake that one bug a task does not cover; each names a task and one of its
configurations, which must refuse it. `tests/formal/test_planted.py` plants them all.
"""

from dataclasses import dataclass

from formal.canary import Canary


@dataclass(frozen=True)
class Planted:
    """`bug` must be caught by the task `caught_by` at the configuration `config`."""

    bug: Canary
    caught_by: str
    config: str


PLANTED: tuple[Planted, ...] = ()
