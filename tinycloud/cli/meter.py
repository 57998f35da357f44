"""How far a transfer is, redrawn in place; loaded only where a terminal shows it."""

import time
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from .moved import Moved, size

EVERY = 0.1
"""Seconds between two looks at how far it is."""


class _Words(ProgressColumn):
    """What there is to say of a transfer, in words that nobody takes for Rich markup."""

    def __init__(self, moved: Moved) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self._moved = moved

    def render(self, task: Task) -> Text:
        """Return how much, how fast, how long still, and on how many nodes."""
        moved = self._moved
        parts = [f"{size(moved.bytes)} of {size(moved.of_bytes)}"]
        if task.speed:
            parts.append(f"{size(task.speed)}/s")
            parts.append(f"{_minutes((moved.of_bytes - moved.bytes) / task.speed)} left")
        return Text(", ".join([*parts, moved.nodes()]))


def _minutes(seconds: float) -> str:
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Meter:
    """A bar for a transfer, on stderr."""

    def __init__(self, moved: Moved) -> None:
        self._moved = moved
        self._last = 0.0
        self._bar = Progress(
            BarColumn(bar_width=24),
            _Words(moved),
            console=Console(stderr=True, highlight=False, markup=False, emoji=False),
            redirect_stdout=False,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def start(self) -> None:
        """Begin to draw."""
        self._bar.start()

    def show(self) -> None:
        """Note how far it is, now and then: what is drawn follows."""
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            moved = self._moved
            total = moved.of_bytes or None
            self._bar.update(self._task, completed=max(0, moved.bytes), total=total)

    def stop(self) -> None:
        """Take the bar away, and give the cursor back."""
        with suppress(OSError):  # the terminal is gone
            self._bar.stop()
