"""What differs from a revision: files, and in modules the functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.revisions import commit_of, git
from tools.sources import ROOT, parsed


def changed_since(revision: str, option: str, root: Path = ROOT) -> dict[str, frozenset[str]]:
    """The changed functions of each file that differs between `revision`, which was given as
    `option`, and the disk, new files included; by its path from the root of the repository.

    Raises BadInput for a revision that git does not know.
    """
    commit = commit_of(revision, option, root)
    differing = git("diff", "--name-only", "--no-renames", "-z", commit, "--", root=root)
    new = git("ls-files", "--others", "--exclude-standard", "-z", root=root)
    paths = sorted({path for path in (differing + new).split("\0") if path})
    return {path: _functions_of(root, commit, path) for path in paths}


def _functions_of(root: Path, commit: str, path: str) -> frozenset[str]:
    file = root / path
    if file.suffix != ".py" or not file.is_file():
        return frozenset({""})
    before = git("show", f"{commit}:{path}", root=root, may_fail=True)  # of a new file, nothing
    return changed_functions(before, file.read_text(encoding="utf-8"))


def changed_functions(before: str, after: str) -> frozenset[str]:
    """The functions that differ between two sources of a module, comments and layout aside.

    A function is named by its path in the module (``Softmax.elaborate``), and differs with those
    that it is in. What is outside of functions goes by the name of its class, or the empty one.
    """
    try:
        old, new = (_functions(parsed(source)) for source in (before, after))
    except SyntaxError:
        return frozenset({""})
    return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _functions(tree: ast.Module) -> dict[str, str]:
    """Each function of a module as text, by its path, and the rest by that of its class."""
    texts: dict[str, str] = {}

    def collect(scope: ast.Module | ast.ClassDef, path: tuple[str, ...]) -> None:
        rest: list[ast.AST] = [*getattr(scope, "bases", []), *getattr(scope, "decorator_list", [])]
        for node in scope.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for name in _with_nested(node, path):
                    # Overloads and setters share a name.
                    texts[name] = texts.get(name, "") + ast.unparse(node)
            elif isinstance(node, ast.ClassDef):
                collect(node, (*path, node.name))
            else:
                rest.append(node)
        texts[".".join(path)] = "\n".join(map(ast.unparse, rest))

    collect(tree, ())
    return texts


def _with_nested(node: ast.AST, path: tuple[str, ...]) -> Iterator[str]:
    """The name of a function, and of what is defined in it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        path = (*path, node.name)
        yield ".".join(path)
    for child in ast.iter_child_nodes(node):
        yield from _with_nested(child, path)
