"""The verdict without anything that differs from run to run: equal bytes for equal verdicts."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from formal.engines.outcome import Outcome
from formal.runner import Result


def canonical(results: Sequence[Result], missing: Sequence[str]) -> bytes:
    """JSON of all results in order of name, without times, paths, lengths of traces, and without
    second engines: whether one ends within its limit is no verdict."""
    records = [_record(result) for result in results]
    records.sort(key=lambda record: (record["id"], record["config"]))
    content = {"results": records, "missing": sorted(missing)}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def digest(results: Sequence[Result], missing: Sequence[str]) -> str:
    """The SHA-256 of `canonical`."""
    return hashlib.sha256(canonical(results, missing)).hexdigest()


def _record(result: Result) -> dict[str, Any]:
    return {
        "id": result.task.id,
        "config": result.config,
        "engine": result.engine,
        "status": result.status,
        "detail": result.detail,
        "obligations": result.obligations,
        "suppositions": list(result.suppositions),
        "proof": _run(result.proof),
        "cover": _run(result.cover),
        "bug": _run(result.bug),
    }


def _run(outcome: Outcome | None) -> dict[str, Any] | None:
    return None if outcome is None else {"status": outcome.status, "netlist": outcome.netlist}
