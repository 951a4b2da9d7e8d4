"""What an edit changed, and how much of it is checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.changes import changed_since
from tools.sources import ROOT

#: The rooms whose files are checked after an edit; the others have their own tests and commands.
CHECKED = ("spec", "design", "golden", "sim", "properties", "formal", "tests")
#: Files on which everything may depend.
COMMON = ("pyproject.toml", "requirements.lock", "tools", "models")


@dataclass(frozen=True)
class Changes:
    """The changed `functions` of each changed file, as `tools.changes` names them."""

    functions: Mapping[str, frozenset[str]]

    @property
    def checked(self) -> list[str]:
        """The changed files that are checked."""
        rooms = (*CHECKED, *COMMON)
        return [path for path in self.functions if path.partition("/")[0] in rooms]

    def outermost(self, path: str) -> list[str]:
        """The changed functions of a file, without those that are inside of others."""
        names = self.functions[path]
        return sorted(
            name for name in names if name and name.rpartition(".")[0] not in names - {""}
        )

    @property
    def everything(self) -> bool:
        """Whether everything may be affected: a common file differs, or a file is gone."""
        return any(
            path.partition("/")[0] in COMMON or not (ROOT / path).is_file() for path in self.checked
        )


def since(revision: str, root: Path = ROOT) -> Changes:
    """What differs between `revision` and the files on the disk, new files included.

    Raises BadInput for a revision that git does not know.
    """
    return Changes(changed_since(revision, "--since", root))
