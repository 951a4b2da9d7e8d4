"""Mutants: which detector kills those of which file, and the source around survivors.

The viewer of mutation-testing-elements is one file of an npm package (Apache-2.0, 240 kB). It is
neither committed nor fetched here: the page embeds it if it was installed beforehand,

    npm install --no-save mutation-testing-elements

or is given by ``--viewer FILE``. Without it, survivors are shown by the page itself.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gate.report.records import Records
from gate.report.section import Section
from tools.evidence import ROOT

_COMMAND = "nox -s mutate"
INSTALL = "npm install --no-save mutation-testing-elements"
VIEWER = ROOT / "node_modules/mutation-testing-elements/dist/mutation-test-elements.js"
#: Lines of source shown before and after a survivor.
AROUND = 3


def section(records: Records, viewer: Path | None = None) -> Section:
    """The section of mutants."""
    report = records["mutants"]
    if not isinstance(report, dict) or not report.get("files"):
        return Section("mutants", "Mutants", _COMMAND, None)
    mutants = [
        {**mutant, "file": path, "source": file["source"]}
        for path, file in sorted(report["files"].items())
        for mutant in file["mutants"]
    ]
    detectors = [test["id"] for test in report["testFiles"]["mutate"]["tests"]]
    used = [name for name in detectors if any(name in one["killedBy"] for one in mutants)]
    status = Counter(one["status"] for one in mutants)
    judged = status.total() - status["Ignored"]
    data = {
        "count": len(mutants),
        "status": status,
        "score": 100 * status["Killed"] / judged if judged else None,
        "judged": judged,
        "detectors": used,
        "matrix": _matrix(mutants, used),
        "survivors": list(_survivors(mutants)),
        "facts": report.get("config", {}),
        "viewer": _viewer(viewer, report),
        "install": INSTALL,
        "missing": [],
    }
    return Section("mutants", "Mutants", _COMMAND, data, records.provenance("mutants"))


def _matrix(mutants: list[dict[str, Any]], detectors: list[str]) -> list[dict[str, Any]]:
    """A row for each file, those with most survivors first."""
    rows = []
    for path in dict.fromkeys(one["file"] for one in mutants):
        of_file = [one for one in mutants if one["file"] == path]
        kills = Counter(name for one in of_file for name in one["killedBy"])
        status = Counter(one["status"] for one in of_file)
        rows.append(
            {
                "file": path,
                "count": len(of_file),
                "kills": [kills[name] for name in detectors],
                "equivalent": status["Ignored"],
                "survivors": status["Survived"],
            }
        )
    return sorted(rows, key=lambda row: (-row["survivors"], row["file"]))


def _survivors(mutants: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in mutants:
        if one["status"] != "Survived":
            continue
        lines = one["source"].splitlines()
        begin, end = one["location"]["start"]["line"], one["location"]["end"]["line"]
        first = max(1, begin - AROUND)
        yield {
            "name": one["id"],
            "place": f"{one['file']}:{begin}",
            "operator": one["mutatorName"],
            "reason": one.get("statusReason", ""),
            "asked": one.get("coveredBy", []),
            "before": [(n, lines[n - 1]) for n in range(first, begin)],
            "old": [(n, lines[n - 1]) for n in range(begin, min(end, len(lines)) + 1)],
            "new": one["replacement"].splitlines(),
            "after": [(n, lines[n - 1]) for n in range(end + 1, min(end + AROUND, len(lines)) + 1)],
        }


def _viewer(path: Path | None, report: dict[str, Any]) -> dict[str, Markup] | None:
    """The viewer's code and its data, for ``<script>`` elements."""
    path = path or VIEWER
    if not path.is_file():
        return None
    # Inside a script, only its end tag and comments have a meaning of their own.
    code = path.read_text("utf-8").replace("</script", r"<\/script").replace("<!--", r"<\!--")
    return {"code": Markup(code), "report": Markup(json.dumps(report).replace("<", r"\u003c"))}
