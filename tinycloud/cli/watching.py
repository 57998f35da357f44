"""What is seen of a command while it runs: a row that says how far it is, and who is left."""

import asyncio
import sys
from types import TracebackType
from typing import Self, TextIO

from ..fanout import to_the_end
from . import say
from .attention import Attention
from .outlet import Outlet, Sink
from .row import Row
from .tally import Tally

FIRST, EVERY = 0.5, 0.2
"""Seconds until the first look at how far it is, and between two: what is quick needs none."""


class Watching:
    """The outlet of a running command, with a row on the terminal and answers to who asks.

    While the block lasts, all that is written goes through it: so the row stays the
    last, and remarks stand between the lines of output that they came between.
    """

    def __init__(self, *, keyboard: bool) -> None:
        self.tally = Tally()
        self.outlet = Outlet()
        self._row = Row()
        self._attention = Attention(self._answer, keyboard=keyboard)
        self._tell = say.MANNER.tell
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self.outlet.__aenter__()
        say.MANNER.tell = self._remark
        self._attention.__enter__()
        if self._row.is_shown:
            self._timer = asyncio.get_running_loop().call_later(FIRST, self._look)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._attention.__exit__(kind, error, traceback)
        self.end()
        try:
            await to_the_end(self.outlet.flush())
        except Exception:
            if error is None:
                raise
        finally:
            say.MANNER.tell = self._tell
            await self.outlet.__aexit__(kind, error, traceback)
            self._row.end()

    def end(self) -> None:
        """Take the row away: all there is to say now is how it went."""
        if self._timer is not None:
            self._timer.cancel()
        self.outlet.put_nowait(self._row.end, b"")

    def above(self, file: TextIO) -> Sink:
        """Return what writes to one of our streams, above the row."""
        return self._row.above(file, last=lambda: self.outlet.is_last)

    def _remark(self, text: str) -> None:
        """Write a remark; that nobody is there to read it must not change what we do."""
        write = self.above(sys.stderr)

        def remark(data: bytes) -> None:
            try:
                write(data)
            except OSError:
                say.give_up_on(sys.__stderr__ or sys.stderr)

        data = f"{text}\n".encode(sys.stderr.encoding, errors="backslashreplace")
        self.outlet.put_nowait(remark, data)

    def _answer(self) -> None:
        for line in ([] if self._row.is_shown else [self.tally.text()]) + self.tally.left():
            say.note(line)

    def _look(self) -> None:
        """Say how far it is, if that is news."""
        text, old = self.tally.text(), self._row.text
        self._row.text = text
        if text != old and self.outlet.is_idle:
            self.outlet.put_nowait(self._row.draw, b"")
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._look)
