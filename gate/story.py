"""``nox -s story``: the RTL tells a story, and a record of it for the verdict.

Every traced value of every token is compared with golden before the token is shown, so that a
broken decoder is red within the first minute.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import evidence
from tools.files import write_atomically

RECORD = evidence.BUILD / "story.json"

#: Few multipliers: what is compiled before the first word grows with them.
LANES = 8


def main(arguments: list[str]) -> int:
    """Tell it; `arguments` go to ``sim compare``. 1 if a value differs, or nothing was told."""
    watch = evidence.Watch()
    RECORD.unlink(missing_ok=True)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        figures = Path(scratch) / "figures.json"
        command = [sys.executable, "-m", "sim", "compare", "--text", "--stats", str(figures)]
        options = arguments or ["--lanes", str(LANES)]
        done = subprocess.run([*command, *options], cwd=evidence.ROOT, check=False)
        told = json.loads(figures.read_text("utf-8")) if figures.exists() else {}
    record = {"sources": watch.digest(), "arguments": arguments, **told}
    write_atomically(RECORD, json.dumps(record, indent=2) + "\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
