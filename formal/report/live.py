"""The live display while properties are proved."""

import threading
import time
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from formal.tasks.task import Task


class Board:
    """The running jobs, with their seconds, and the counts; shown at the bottom of a terminal.

    Lines printed on the same console stay above it. Without a terminal nothing is shown.
    """

    def __init__(self, console: Console, total: int):
        self.console = console
        self.total = total
        self.done = 0
        self.red = 0
        self._running: dict[tuple[str, str], tuple[str, float]] = {}
        self._lock = threading.Lock()

    def shown(self) -> AbstractContextManager:
        """Show the board inside a ``with``."""
        if not self.console.is_terminal:
            return nullcontext()
        return Live(
            console=self.console, get_renderable=self.render, refresh_per_second=4, transient=True
        )

    def watch(self, task: Task, config: str, run: str) -> None:
        """A run of a property begins; if `run` is empty, the property is decided."""
        with self._lock:
            self._running.pop((task.id, config), None)
            if run:
                self._running[task.id, config] = (run, time.monotonic())

    def count(self, red: bool) -> None:
        """Count a result."""
        self.done += 1
        self.red += red

    def render(self) -> RenderableType:
        """The board as it is now."""
        now = time.monotonic()
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(3):
            table.add_column()
        table.add_column(justify="right")
        with self._lock:
            running = list(self._running.items())
        for (id, config), (run, since) in running:
            table.add_row(id, config, run, f"{now - since:.0f} s")
        red = f"[bold red]{self.red} RED[/]" if self.red else "none red"
        table.add_row(f"{self.done} of {self.total} decided", red)
        return table
