"""results.json and junit.xml: the results for other programs.

The types below are the schema; docs/verification.md documents the fields.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from formal.engines.outcome import Outcome
from formal.report import statements
from formal.runner import Result
from formal.tasks.task import Tier
from tools.files import write_atomically
from tools.provenance import Provenance, provenance
from tools.sources import ROOT


class Run(TypedDict):
    """A run of an engine."""

    status: str
    seconds: float
    names: list[str]
    cycles: int | None
    trace: str | None
    netlist: str
    cached: bool


class Bug(Run):
    """The run with the planted bug."""

    name: str


class Claim(TypedDict):
    """A violated claim: its name, its sentence, and its file and line."""

    name: str
    sentence: str
    place: str


class Record(TypedDict):
    """A property at a configuration."""

    id: str
    family: str
    theorem: str
    config: str
    engine: str
    mode: str
    depth: int
    reason: str
    status: str
    detail: str
    result: str | None
    seconds: float
    obligations: int
    assumptions: int
    claims: list[Claim]
    confirmed_by: str | None
    unconfirmed: str
    proof: Run | None
    confirmation: Run | None
    cover: Run | None
    bug: Bug | None


class File(Provenance):
    """results.json."""

    sources: str | None
    tier: Tier
    complete: bool
    not_asked: int
    unconfirmed: int
    unconfirmed_by_time: int
    missing: list[str]
    results: list[Record]


def _run(outcome: Outcome | None) -> Run | None:
    if outcome is None:
        return None
    return {
        "status": outcome.status,
        "seconds": outcome.seconds,
        "names": list(outcome.named),
        "cycles": outcome.cycles,
        "trace": _relative(outcome.trace),
        "netlist": outcome.netlist,
        "cached": outcome.cached,
    }


def _relative(trace: str | None) -> str | None:
    """As from the root of the repository, if it is below it."""
    if trace is None or not Path(trace).is_relative_to(ROOT):
        return trace
    return Path(trace).relative_to(ROOT).as_posix()


def _claims(result: Result) -> list[Claim]:
    """What the runs of a red property violate."""
    return [
        {"name": claim.name, "sentence": claim.text, "place": statements.place(claim)}
        for claim in statements.violated(result)
    ]


def record(result: Result) -> Record:
    """The record of one property."""
    task, bug = result.task, _run(result.bug)
    return {
        "id": task.id,
        "family": task.family,
        "theorem": task.theorem.sentence(),
        "config": result.config,
        "engine": result.engine,
        "mode": task.mode,
        "depth": task.depth,
        "reason": task.reason,
        "status": result.status,
        "detail": result.detail,
        "result": result.proof.status if result.proof else None,
        "seconds": result.seconds,
        "obligations": result.obligations,
        "assumptions": len(result.suppositions),
        "claims": _claims(result),
        "confirmed_by": result.confirmed_by or None,
        "unconfirmed": result.unconfirmed,
        "proof": _run(result.proof),
        "confirmation": _run(result.confirmation),
        "cover": _run(result.cover),
        "bug": {**bug, "name": task.bug.name} if bug else None,
    }


def write_json(
    path: Path,
    results: Sequence[Result],
    missing: list[str],
    complete: bool,
    *,
    sources: str | None,
    tier: Tier,
    not_asked: int,
) -> None:
    """Write results.json atomically. `complete`: all of `tier` was run; `not_asked`: the number of
    records of the table that were not run; `sources`: the digest of `tools.evidence`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content: File = {
        **provenance(),
        "sources": sources,
        "tier": tier,
        "complete": complete,
        "not_asked": not_asked,
        "unconfirmed": sum(bool(result.unconfirmed) for result in results),
        "unconfirmed_by_time": sum(result.late for result in results),
        "missing": missing,
        "results": [record(result) for result in results],
    }
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def write_junit(path: Path, results: Sequence[Result], missing: list[str]) -> None:
    """Write a JUnit file: a suite per family, a case per property, and a suite of missing ones."""
    root = ET.Element("testsuites", name="formal")
    families: dict[str, ET.Element] = {}
    for result in results:
        family = result.task.family
        if family not in families:
            families[family] = ET.SubElement(root, "testsuite", name=family)
        suite = families[family]
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"formal.{family}",
            name=f"{result.task.id}[{result.config}]",
            time=f"{result.seconds:.1f}",
        )
        if result.detail:
            failure = ET.SubElement(case, "failure", message=result.detail)
            failure.text = result.task.theorem.sentence()
    if missing:
        suite = families["missing"] = ET.SubElement(root, "testsuite", name="missing")
        for sentence in missing:
            case = ET.SubElement(suite, "testcase", classname="formal.missing", name=sentence)
            ET.SubElement(case, "failure", message=sentence)
    for suite in families.values():
        cases = suite.findall("testcase")
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("errors", "0")
        suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.1f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ET.tostring(root, encoding="utf-8", xml_declaration=True))
