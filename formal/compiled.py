"""Our programs in C++, compiled when they are first needed."""

import hashlib
import os
import subprocess
import threading
from pathlib import Path

from sim.toolchain import find_compiler, processor

_COMPILING = threading.Lock()


def compiled(source: Path, folder: Path, *flags: str) -> Path:
    """The program of the one file `source`, in `folder`; compiled only once."""
    compiler = find_compiler()
    content = f"{compiler.identity}{processor()}{flags}{source.read_text()}"
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    program = (folder / f"{source.stem}-{digest}").resolve()
    with _COMPILING:
        if not program.exists():
            folder.mkdir(parents=True, exist_ok=True)
            fresh = program.with_suffix(f".{os.getpid()}")  # other processes may be at it, too
            command = [*compiler.command, *flags, "-o", str(fresh), str(source)]
            subprocess.run(command, capture_output=True, check=True)
            fresh.replace(program)
    return program
