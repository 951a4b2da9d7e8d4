"""Measurements of speed. Nothing here is a test, because machines are noisy."""

import os

from tools import sources as sources  # first, so that all later imports are digested

# One core, as in the targets; numpy reads these variables at its first import, which is later.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
