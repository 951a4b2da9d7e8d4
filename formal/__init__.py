"""Proofs: harnesses, the table of tasks, engines and the runner behind ``python -m formal``."""
