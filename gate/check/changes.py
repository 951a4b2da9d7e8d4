"""What differs from a revision: files, and in modules the functions."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.revisions import commit_of, git
from tools.sources import ROOT, parsed

#: The rooms whose files are checked after an edit; the others have their own tests and commands.
CHECKED = ("spec", "design", "golden", "sim", "properties", "formal", "tests")
#: Files on which everything may depend.
COMMON = ("pyproject.toml", "requirements.lock", "tools", "models")


@dataclass(frozen=True)
class Changes:
    """The changed `functions` of each changed file, by its path from the root of the repository.

    A function is named by its path in the module (``Softmax.elaborate``); the empty name stands
    for what is outside of functions, and for files that are no modules.
    """

    functions: Mapping[str, frozenset[str]]

    @property
    def checked(self) -> list[str]:
        """The changed files that are checked."""
        rooms = (*CHECKED, *COMMON)
        return [path for path in self.functions if path.partition("/")[0] in rooms]

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
    commit = commit_of(revision, "--since", root)
    differing = git("diff", "--name-only", "--no-renames", "-z", commit, "--", root=root)
    new = git("ls-files", "--others", "--exclude-standard", "-z", root=root)
    paths = sorted({path for path in (differing + new).split("\0") if path})
    return Changes({path: _functions_of(root, commit, path) for path in paths})


def _functions_of(root: Path, commit: str, path: str) -> frozenset[str]:
    file = root / path
    if file.suffix != ".py" or not file.is_file():
        return frozenset({""})
    before = git("show", f"{commit}:{path}", root=root, may_fail=True)  # of a new file, nothing
    return changed_functions(before, file.read_text(encoding="utf-8"))


def changed_functions(before: str, after: str) -> frozenset[str]:
    """The functions that differ between two sources of a module, comments and layout aside."""
    try:
        old, new = (_functions(parsed(source)) for source in (before, after))
    except SyntaxError:
        return frozenset({""})
    return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _functions(tree: ast.Module) -> dict[str, str]:
    """Each function of a module as text, by its path, and the rest of the module by ''."""
    found: dict[str, str] = {}

    def collect(scope: ast.Module | ast.ClassDef, path: str) -> None:
        rest: list[ast.stmt] = []
        for node in scope.body:
            name = f"{path}{getattr(node, 'name', '')}"
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # Overloads and setters share a name.
                found[name] = found.get(name, "") + ast.unparse(node)
            elif isinstance(node, ast.ClassDef):
                collect(node, f"{name}.")
            else:
                rest.append(node)
        head = [ast.unparse(part) for part in getattr(scope, "bases", [])]
        head += [ast.unparse(part) for part in getattr(scope, "decorator_list", [])]
        found[""] = "\n".join([found.get("", ""), path, *head, *map(ast.unparse, rest)])

    collect(tree, "")
    return found
