"""Our programs in C++, compiled when they are first needed."""

import hashlib
import os
import subprocess
import threading
from pathlib import Path

from tools import sources
from tools.compiler import find_compiler, processor

_COMPILING = threading.Lock()


def compiled(source: Path, folder: Path, *flags: str) -> Path:
    """The program of the one file `source`, in `folder`; compiled only once."""
    compiler, content = find_compiler(), sources.SOURCES.content(source)
    tools = f"{compiler.identity}{processor()}{flags}"
    digest = hashlib.sha256(tools.encode() + content).hexdigest()[:16]
    program = (folder / f"{source.stem}-{digest}").resolve()
    with _COMPILING:
        if not program.exists():
            folder.mkdir(parents=True, exist_ok=True)
            fresh = program.with_suffix(f".{os.getpid()}")  # other processes may be at it, too
            # What was digested, not what lies there by now.
            command = [*compiler.command, *flags, "-o", str(fresh), "-x", "c++", "-"]
            subprocess.run(command, input=content, capture_output=True, check=True)
            fresh.replace(program)
    return program
