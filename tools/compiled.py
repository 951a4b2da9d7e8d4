"""Our C++ programs, compiled on first use."""

import hashlib
import os
import subprocess
import threading
from pathlib import Path

from tools import sources
from tools.compiler import find_compiler, processor

_COMPILING = threading.Lock()


def compiled(source: Path, folder: Path, *flags: str) -> Path:
    """The program compiled from the single file `source`, cached in `folder`."""
    compiler, content = find_compiler(), sources.SOURCES.content(source)
    tools = f"{compiler.identity}{processor()}{flags}"
    digest = hashlib.sha256(tools.encode() + content).hexdigest()[:16]
    program = (folder / f"{source.stem}-{digest}").resolve()
    with _COMPILING:
        if not program.exists():
            folder.mkdir(parents=True, exist_ok=True)
            # Other processes may compile the same program at the same time.
            fresh = program.with_suffix(f".{os.getpid()}")
            # Compile the digested content; the file may have changed since.
            command = [*compiler.command, *flags, "-o", str(fresh), "-x", "c++", "-"]
            subprocess.run(command, input=content, capture_output=True, check=True)
            fresh.replace(program)
    return program
