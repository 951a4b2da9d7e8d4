"""How long an edit takes to turn the check red, measured on two."""

import subprocess

from mutate import red
from tools.sources import ROOT


def test_an_edit_is_measured_and_undone(monkeypatch):
    """With a check that objects to one edit, and finds nothing in the other."""
    script = (
        "import pathlib, subprocess;"
        "changed = subprocess.check_output(['git', 'diff', '--name-only'], text=True);"
        "print('RED  arith.toy nano' if 'README' in changed else changed);"
        "print('RED after 1.0 s, by the proofs' if 'README' in changed else 'green')"
    )
    started = subprocess.Popen

    def popen(command, **options):
        return started([command[0], "-c", script], **options)

    monkeypatch.setattr(red, "start", popen)
    edits = [red.Edit("bad", "README.md", b"x"), red.Edit("harmless", "LICENSE", b"x")]
    bad, harmless = red.measure(edits, lambda text: None)
    assert (bad.lane, bad.detector) == ("proofs", "arith.toy nano")
    assert (harmless.lane, harmless.detector) == ("", "")
    assert (ROOT / "README.md").read_bytes() != b"x"
