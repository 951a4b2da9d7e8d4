"""Speed, measured: nothing here is a test, since machines are noisy."""

import os

from tools import sources as sources  # first, so that all others are loaded as they are digested

# One core, as the targets ask; numpy reads these when it is first imported, which is after this.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
