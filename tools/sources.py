"""The sources that this process runs, as they were first read, and their dependencies.

Builds and proofs are cached under the contents of the files that they came from. Modification
times, or a later look at the disk, do not identify those contents: a file may be replaced while a
process runs, or by one of the same time and size, for which Python would run the old compiled
code. So, after ``import tools``, every module of this repository is compiled from the contents
that are digested, without a ``.pyc`` file; all other files that matter, such as C++ programs, are
read through `Sources.content` and passed on as they were read.
"""

import ast
import hashlib
import importlib.machinery
import re
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parent.parent
#: The dotted name of a module, empty for other files, and its path.
_File = tuple[str, Path]
_FILE_NAME = re.compile(r"[\w-]+(\.\w+)?")
#: CPython 3.11 raises SystemError when two threads build syntax trees at the same time.
_PARSING = threading.Lock()


def parsed(text: str | bytes) -> ast.Module:
    """The syntax tree of a source, from any thread."""
    with _PARSING:
        return ast.parse(text)


class Sources(MetaPathFinder):
    """The files below `root`, whose contents are fixed for this process at the first read.

    As a module finder, it loads modules from these contents.
    """

    def __init__(self, root: Path):
        self.root = root
        self._contents: dict[Path, bytes] = {}
        self._codes: dict[Path, CodeType] = {}
        self._digests: dict[Path, str] = {}
        self._needs: dict[Path, list[_File]] = {}
        self._closures: dict[tuple[str, ...], set[_File]] = {}
        self._vouched: set[Path] = set()

    def content(self, path: Path) -> bytes:
        """The content of `path` when this process first read it."""
        known = self._contents.get(path)
        return known if known is not None else self._contents.setdefault(path, path.read_bytes())

    def replace(self, path: Path, content: bytes) -> None:
        """Run `content` in place of what is in the file `path`, in this process.

        Raises ValueError if the file was read already, for then something may depend on it.
        """
        if path in self._contents:
            raise ValueError(f"{path.relative_to(self.root)} was read before it was replaced")
        self._contents[path] = content

    def code(self, path: Path) -> CodeType:
        """The code compiled from `content`."""
        if path not in self._codes:
            self._codes[path] = compile(self.content(path), str(path), "exec", dont_inherit=True)
        return self._codes[path]

    def reached(self, *modules: str) -> set[Path]:
        """The files below `root` of `modules` and of all their dependencies.

        A file depends on what it imports, and on files or folders beside it that it names.
        """
        return {path for _, path in self._reached(modules)}

    def needed(self, path: Path) -> set[Path]:
        """The files below `root` that `path` itself imports or names."""
        return {file for _, file in self._needed(path)}

    def digest(self, *modules: str, but: Collection[str] = ()) -> str | None:
        """A digest of the names and contents of `reached`, without the folders `but`.

        None if one of the files was not loaded from `content`, and so may be different.
        """
        if not all(self._loaded(*file) for file in self._reached(modules)):
            return None
        total = hashlib.sha256()
        for path in sorted(self.reached(*modules)):
            name = path.relative_to(self.root)
            if name.parts[0] not in but:
                total.update(f"{name}\0{self.digest_of(path)}\0".encode())
        return total.hexdigest()

    def digest_of(self, path: Path) -> str:
        """SHA-256 of `content`."""
        if path not in self._digests:
            self._digests[path] = hashlib.sha256(self.content(path)).hexdigest()
        return self._digests[path]

    def on_disk(self, *modules: str) -> bool:
        """Whether the files of `reached` are still on the disk as this process runs them.

        Without modules: all files read so far.
        """
        paths = self.reached(*modules) if modules else list(self._contents)
        return all(path.is_file() and path.read_bytes() == self.content(path) for path in paths)

    def digests(self) -> dict[str, str]:
        """The digest of each file read so far, by its path relative to `root`."""
        ours = [path for path in sorted(self._contents) if self.ours(path)]
        return {str(path.relative_to(self.root)): self.digest_of(path) for path in ours}

    def differing(self, read: Mapping[str, str]) -> list[str]:
        """The paths for which another process `read` other contents than this one."""
        return [path for path, digest in read.items() if digest != self.digest_of(self.root / path)]

    def vouch(self) -> None:
        """Check the modules now being imported against the contents of their files.

        They import this module, and so were loaded before it was installed as a finder.
        """
        frame = sys._getframe()
        while frame := frame.f_back:  # type: ignore[assignment]
            code, path = frame.f_code, Path(frame.f_code.co_filename).resolve()
            ours = code.co_name == "<module>" and self.ours(path) and path.is_file()
            if ours and self.code(path) == code:
                self._vouched.add(path)

    def install(self) -> None:
        """Find modules before Python's own finder, but after those of pytest and others."""
        sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), self)

    def find_spec(self, fullname, path=None, target=None):
        """As Python's own finder, with our loader for files below `root`."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            source = spec.loader.path
            if self.ours(Path(source)):
                spec.loader = Loader(fullname, source, self)
                return spec
        return None

    def ours(self, path: Path) -> bool:
        """Whether the file is below `root`, and not in a virtual environment there."""
        return path.is_relative_to(self.root) and "site-packages" not in path.parts

    def _loaded(self, name: str, path: Path) -> bool:
        """Whether the module, if this process imported it, was loaded from `content`."""
        module = sys.modules.get(name)
        loader = module and module.__spec__ and module.__spec__.loader
        return module is None or path in self._vouched or isinstance(loader, Loader)

    def _reached(self, modules: tuple[str, ...]) -> set[_File]:
        if modules not in self._closures:
            closure: set[_File] = set()
            waiting = [file for module in modules for file in self._files(module)]
            while waiting:
                file = waiting.pop()
                if file not in closure:
                    closure.add(file)
                    waiting += self._needed(file[1])
            self._closures[modules] = closure
        return self._closures[modules]

    def _files(self, module: str) -> list[_File]:
        """The files of a dotted name and of its parent packages; none for modules not ours."""
        parts = module.split(".")
        names = [parts[:n] for n in range(1, len(parts) + 1)]
        return [
            (".".join(name), file)
            for name in names
            for path in [self.root.joinpath(*name)]
            for file in (path.with_suffix(".py"), path / "__init__.py")
            if file.is_file()
        ]

    def _needed(self, path: Path) -> list[_File]:
        if path.suffix != ".py":
            return []
        if path not in self._needs:
            tree = parsed(self.content(path))
            imported = [file for module in _imports(tree) for file in self._files(module)]
            named = {text for text in _strings(tree) if _FILE_NAME.fullmatch(text)}
            beside = [("", file) for text in named for file in _named(path.parent / text)]
            self._needs[path] = imported + beside
        return self._needs[path]


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from the contents of its file in `sources`."""

    def __init__(self, fullname: str, path: str, sources: Sources):
        super().__init__(fullname, path)
        self.sources = sources

    def get_code(self, fullname: str) -> CodeType:
        """The code of the module."""
        return self.sources.code(Path(self.path))


def _named(path: Path) -> list[Path]:
    """The file `path`, or the files of the folder `path` if none of them is a module."""
    if path.is_file():
        return [path]
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else []
    return [] if any(file.suffix in (".py", ".pyc") for file in files) else files


def _strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _imports(tree: ast.AST) -> Iterator[str]:
    """All names that may be modules; in ``from a import b``, ``a.b`` may be one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SOURCES = Sources(ROOT)
SOURCES.vouch()
SOURCES.install()
