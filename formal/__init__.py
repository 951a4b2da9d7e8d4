"""Proofs: harnesses, the table of tasks, engines and the runner behind ``python -m formal``."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
