"""Proofs: harnesses, the table of tasks, engines, and the runner of ``python -m formal``."""

from tools import sources as sources  # first, so that all later imports are digested
