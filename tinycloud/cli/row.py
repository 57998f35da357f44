"""A last row on the terminal that stays below whatever is written."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from .outlet import Sink
from .say import MANNER
from .width import columns, width

_ERASE = b"\r\x1b[K"


class Row:
    """One row on stderr: erased before anything else is written to the terminal, drawn after.

    `text` is what it says; where there is no terminal, or quiet was asked for, nothing
    is ever drawn. The methods are called in the outlet's thread.
    """

    def __init__(self) -> None:
        self.is_shown = _is_terminal(sys.stderr) and not MANNER.quiet
        self.text = ""
        self._drawn = False

    def above(self, file: TextIO, *, last: Callable[[], bool] = lambda: True) -> Sink:
        """Return what writes to `file` above the row; `last` is whether nothing more waits."""
        over = self.is_shown and file.isatty()

        def write(data: bytes) -> None:
            if over and self._drawn:
                data = _ERASE + data
                self._drawn = False
            file.buffer.write(data)
            file.buffer.flush()
            if over and self.text and last():
                self.draw()

        return write

    def draw(self, _: bytes = b"") -> None:
        """Draw the row anew, unless another program has the terminal now."""
        if self.is_shown and _in_foreground():
            text = _fitting(self.text, width(sys.stderr) - 1)
            self._write(_ERASE + text.encode(sys.stderr.encoding, errors="backslashreplace"))
            self._drawn = True

    def end(self, _: bytes = b"") -> None:
        """Take the row away for good."""
        if self._drawn:
            self._write(_ERASE)
        self.is_shown = self._drawn = False

    def _write(self, data: bytes) -> None:
        try:
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()
        except OSError:  # the terminal is gone
            self.is_shown = False


def _is_terminal(file: TextIO) -> bool:
    return file.isatty() and os.environ.get("TERM") != "dumb"


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except OSError:  # it is no terminal that has jobs
        return True


def _fitting(text: str, room: int) -> str:
    """Return text cut to so many columns."""
    if sum(map(columns, text)) <= room:
        return text
    taken = 0
    for place, letter in enumerate(text):
        taken += columns(letter)
        if taken > room - 1:
            return text[:place] + "…"
    return text
