"""Where tables and results are printed."""

import sys

from rich.console import Console


def make_console(*, highlight: bool = True) -> Console:
    """Standard output. Without a terminal, rich would wrap at 80 columns and truncate names."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=highlight)
