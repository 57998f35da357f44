"""Bars that are redrawn in place; loaded only where a terminal shows them."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

_BAR = 24

Say = Callable[[Task], str]


class _Plain(ProgressColumn):
    """A column of text that nobody takes for Rich markup."""

    max_refresh = None

    def __init__(self, say: Say, style: str = "", justify: JustifyMethod = "left") -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis", justify=justify))
        self._say = say
        self._style = style

    def render(self, task: Task) -> Text:
        """Return what there is to say of the task now."""
        return Text(self._say(task), style=self._style)


class Live:
    """A bar for each stage, on stderr; `remark` tells what to say beside it."""

    def __init__(self, stages: Sequence[str], total: int, remark: Callable[[str], str]) -> None:
        self._bars = Progress(
            _Plain(lambda task: task.description),
            BarColumn(bar_width=_BAR),
            _Plain(_count),
            _Plain(_seconds, "dim", "right"),
            _Plain(lambda task: remark(task.description), "dim"),
            console=Console(stderr=True, highlight=False, markup=False, emoji=False),
            redirect_stdout=False,
        )
        self._tasks = {stage: self._bars.add_task(stage, total=total) for stage in stages}

    def start(self) -> None:
        """Begin to draw."""
        self._bars.start()

    def show(self, stage: str, done: int) -> None:
        """Show that so many nodes have come to this stage."""
        self._bars.update(self._tasks[stage], completed=done)

    def stop(self) -> None:
        """Draw the last time, and give the cursor back."""
        with suppress(OSError):  # the terminal is gone
            self._bars.stop()


def _count(task: Task) -> str:
    total = str(int(task.total or 0))
    return f"{int(task.completed):>{len(total)}}/{total}"


def _seconds(task: Task) -> str:
    """Return how long it took until all nodes came to the stage, or how long it takes."""
    return f"{(task.finished_time if task.finished else task.elapsed) or 0.0:.1f} s"
