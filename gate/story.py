"""``nox -s story``: the RTL generates a story, with a record for the verdict.

Every traced value of every token is compared with golden before the token is printed, so that a
broken decoder fails within the first minute.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import evidence
from tools.files import write_atomically
from tools.provenance import provenance

RECORD = evidence.BUILD / "story.json"

#: Few lanes, because the compile time before the first token grows with them.
LANES = 8
PROMPT = "Once upon a time there was a"


def main(arguments: list[str]) -> int:
    """Run ``sim compare`` with `arguments`; exit code 1 if a value differs or nothing ran."""
    watch = evidence.Watch()
    RECORD.unlink(missing_ok=True)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        figures = Path(scratch) / "figures.json"
        command = [sys.executable, "-m", "sim", "compare", "--text", "--stats", str(figures)]
        options = arguments or ["--lanes", str(LANES), "--prompt", PROMPT]
        result = subprocess.run([*command, *options], cwd=evidence.ROOT, check=False)
        measured = json.loads(figures.read_text("utf-8")) if figures.exists() else {}
    record = {**provenance(), "sources": watch.digest(), "arguments": arguments, **measured}
    write_atomically(RECORD, json.dumps(record, indent=2) + "\n")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
