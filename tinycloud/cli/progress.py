"""How a launch is coming along: a live line for each stage, or plain ones."""

import sys
import time
from collections import Counter
from typing import Self

from ..cloud import Stage, Step
from ..text import printable
from .nodeset import folded
from .say import MANNER, note

STAGES = (Stage.STARTED, Stage.CONNECTED, Stage.READY)


class Watch:
    """Keeps count of the steps of a launch, and shows them.

    `may_remain` are the nodes that were seen to start and not to be removed.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = time.monotonic()
        self._seen: set[str] = set()
        self._counts: Counter[Stage] = Counter()
        self._live = _Live(total) if sys.stderr.isatty() and not MANNER.quiet else None

    @property
    def may_remain(self) -> str:
        """The names of nodes that may still exist."""
        return folded(sorted(self._seen))

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def report(self, step: Step) -> None:
        """Take note of a step; given to `Cloud.launch`."""
        self._counts[step.stage] += 1
        if step.stage is Stage.REMOVED:
            self._seen.discard(step.node)
        else:
            self._seen.add(step.node)
        if step.stage is Stage.FAILED:
            self._say(f"{step.node} failed: {step.detail}")
        elif self._live:
            self._live.count(step.stage)
        elif step.stage in STAGES and self._counts[step.stage] == self._total:
            seconds = time.monotonic() - self._begun
            note(f"{step.stage}: {self._total} of {self._total} ({seconds:.1f} s)")

    def _say(self, text: str) -> None:
        if self._live:
            self._live.say(text)
        else:
            note(text)


class _Live:
    """One line for each stage, redrawn in place."""

    def __init__(self, total: int) -> None:
        # Loaded here: a launch that nobody watches need not wait for it.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True, highlight=False, markup=False),
        )
        self._tasks = {stage: self._bars.add_task(stage.value, total=total) for stage in STAGES}

    def start(self) -> None:
        self._bars.start()

    def stop(self) -> None:
        self._bars.stop()

    def count(self, stage: Stage) -> None:
        if stage in self._tasks:
            self._bars.advance(self._tasks[stage])

    def say(self, text: str) -> None:
        self._bars.console.print(printable(text))
