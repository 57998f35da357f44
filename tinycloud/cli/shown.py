"""How what comes of a command is shown: lines, blocks, objects, files, or several of them."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..cloud import Step
from ..errors import InvalidInput
from ..result import Output, Result
from .lines import Labelled
from .watching import Watching


class Shown(Protocol):
    """What shows a command: told of all that comes of it, in order."""

    def report(self, step: Step) -> None: ...

    async def feed(self, output: Output) -> None: ...

    async def finish(self, result: Result) -> None: ...

    async def end(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a command is to be shown, as it was asked for."""

    as_json: bool = False
    events: bool = False
    gather: bool | None = None
    diff: bool = False
    output_dir: Path | None = None

    def __post_init__(self) -> None:
        ways = {
            "--json": self.as_json,
            "--events": self.events,
            "--gather": self.gather is True,
            "--no-gather": self.gather is False,
            "--diff": self.diff,
        }
        given = [option for option, wanted in ways.items() if wanted]
        if len(given) > 1 and given != ["--gather", "--diff"]:
            raise InvalidInput(
                f"can't show a command in {len(given)} ways",
                cause=" and ".join(given),
                fix="choose one of them",
            )


def shown(wish: Wish, watching: Watching) -> Sequence[Shown]:
    """Return what shows a command as it was asked for."""
    found: list[Shown] = [watching.tally]
    if wish.output_dir is not None:
        from .saved import Saved  # loaded here, as below: nobody waits for what they don't use

        found.append(Saved(wish.output_dir, watching.outlet))
    return [*found, _face(wish, watching)]


def _face(wish: Wish, watching: Watching) -> Shown:
    if wish.as_json or wish.events:
        from .answered import Answered, Events

        return Answered(watching) if wish.as_json else Events(watching)
    if wish.gather or wish.diff:
        from .gather import Gathered

        return Gathered(watching, diff=wish.diff)
    if wish.gather is None and sys.stdout.isatty():
        return LinesThenBlocks(watching)
    return Labelled(watching)


class LinesThenBlocks:
    """Lines as they come, and then blocks, if those tell more than what can still be seen.

    That is: the lines do not fit on the screen any more, and two nodes at least
    printed the same.
    """

    def __init__(self, watching: Watching) -> None:
        from .gather import Gathered

        self._watching = watching
        self._lines = Labelled(watching)
        self._blocks = Gathered(watching)

    def report(self, step: Step) -> None:
        """Take no note of steps."""

    async def feed(self, output: Output) -> None:
        """Show a piece of output, and keep it."""
        await self._lines.feed(output)
        await self._blocks.feed(output)

    async def finish(self, result: Result) -> None:
        """Take note that a node prints no more."""
        await self._lines.finish(result)
        await self._blocks.finish(result)

    async def end(self) -> None:
        """Show the last of the lines, and blocks if need be."""
        await self._lines.end()
        if self._lines.rows >= _height() - _REMARKS and self._blocks.folds_something:
            await self._watching.writer(sys.stdout).write(b"\n")
            await self._blocks.end()


_REMARKS = 3
"""Rows that the prompt and our own remarks take of a screen."""


def _height() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines or 24
    except OSError:
        return 24
