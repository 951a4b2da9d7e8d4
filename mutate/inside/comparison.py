"""Golden alone, and golden against RTL, on the runs of a small decoder, bit for bit."""

import hashlib
from pathlib import Path
from typing import Any

import numba

# At these sizes compiling golden's loops takes far longer than running them as they are. The
# setting must come before their import.
numba.config.DISABLE_JIT = True  # type: ignore[attr-defined]

import numpy as np  # noqa: E402

from golden.case import greedy  # noqa: E402
from golden.fast.decoder import FixedDecoder  # noqa: E402
from golden.image import pack  # noqa: E402
from mutate.inside.decoders import Run, decoder, runs  # noqa: E402
from sim.build import Build  # noqa: E402
from sim.compare import compare  # noqa: E402
from sim.rtl_decoder import RtlDecoder  # noqa: E402


def golden(name: str) -> str:
    """A digest of the weight images, and of all that golden computes in the runs."""
    total = hashlib.sha256()
    for run in runs(decoder(name)):
        total.update(pack(run.model).tobytes())
        for traced in _traces(run):
            total.update(traced.tobytes())
    return total.hexdigest()


def _traces(run: Run) -> list[np.ndarray]:
    """Every traced tensor of a run's first sequence, and the number of products."""
    fixed, traces = FixedDecoder(run.model), []
    token = run.prompt[0]
    for position in range(run.model.config.shape.seq_len):
        logits = fixed.step(np.array([token]), trace=True)
        # Their order depends on the hashes of this process.
        traces += [fixed.trace[tensor] for tensor in sorted(fixed.trace, key=lambda t: t.value)]
        traces.append(np.array(fixed.products(classified=True)))
        following = run.prompt[position + 1 :][:1]
        token = following[0] if following else int(logits[0].argmax())
    return traces


#: Cycles without progress after which a small decoder hangs; in all runs it takes far fewer.
PATIENCE = 2000


def first_difference(name: str, library: str, design: int) -> dict[str, Any]:
    """Compare all runs; the first difference, as a sentence with the clock cycle, or nothing.

    `library` is the compiled netlist, `design` which of several in it.
    """
    config, values = decoder(name), 0
    made = Build(Path(library), "quick", 0.0, 0.0, 0.0, (), cached=True)
    for number, run in enumerate(runs(config)):
        with RtlDecoder(
            config, pack(run.model), "quick", run.stalls, None, PATIENCE, made=made, design=design
        ) as rtl:
            golden = FixedDecoder(run.model)
            for progress in compare(golden, rtl, greedy(run.prompt, run.tokens, config.shape)):
                values += progress.values
                if progress.difference is not None:
                    difference = f"run {number}: {progress.difference}"
                    return {"difference": difference, "cycle": rtl.clock, "values": values}
    return {"difference": "", "cycle": None, "values": values}
