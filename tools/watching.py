"""Runs a command again whenever a source is saved."""

import logging
import shlex
import sys
from collections.abc import Sequence

from watchfiles import Change, run_process

from tools.evidence import FOLDERS, SETTINGS
from tools.sources import ROOT


def run_on_save(command: Sequence[str]) -> int:
    """Run ``python`` with the arguments `command` now, and again after each save, until Ctrl-C.

    A run that has not ended by then is interrupted. Returns exit code 0.
    """
    watched = [ROOT / name for name in (*FOLDERS, *SETTINGS)]

    def announce(changes: set[tuple[Change, str]]) -> None:
        names = sorted({path.removeprefix(f"{ROOT}/") for _, path in changes})
        print(f"\nsaved: {', '.join(names)}", flush=True)

    # It warns of every run that has ended by itself.
    logging.getLogger("watchfiles").setLevel(logging.ERROR)
    run_process(
        *(path for path in watched if path.exists()),
        target=shlex.join([sys.executable, *command]),
        target_type="command",
        debounce=200,
        callback=announce,
    )
    return 0
