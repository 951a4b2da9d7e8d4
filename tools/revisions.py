"""What git knows of a repository."""

import subprocess
from pathlib import Path

from tools.errors import BadInput
from tools.sources import ROOT


def git(*arguments: str, root: Path = ROOT, may_fail: bool = False) -> str:
    """What git prints; if it `may_fail`, nothing if it does.

    Raises BadInput if there is no git, or if it fails.
    """
    command = ["git", "-c", "core.quotePath=false", *arguments]
    try:
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BadInput("git is not installed, which tells what has changed") from None
    if result.returncode and not may_fail:
        raise BadInput(f"git {arguments[0]} failed: {result.stderr.strip()}")
    return result.stdout if result.returncode == 0 else ""


def commit_of(revision: str, option: str, root: Path = ROOT) -> str:
    """The commit of the `revision` that was given as `option`; raises BadInput for none."""
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = git(*asked, root=root, may_fail=True).strip()
    if not commit:
        raise BadInput(f"{option} {revision!r} is no revision of this repository")
    return commit
