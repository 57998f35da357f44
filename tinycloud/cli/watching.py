"""What is seen of a command while it runs: a row that says how far it is, and who is left."""

import asyncio
import sys
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Writer:
    """Has bytes written to one of our streams."""

    outlet: Outlet
    sink: Sink

    async def write(self, data: bytes) -> None:
        """Have them written, and wait while too much waits."""
        await self.outlet.put(self.sink, data)

    def write_soon(self, data: bytes) -> None:
        """Have them written; for what is short."""
        self.outlet.put_nowait(self.sink, data)


class Watching:
    """The outlets of a running command, with a row on the terminal and answers to who asks.

    While the block lasts, all that is written goes through them: so the row stays the
    last, and remarks stand between the lines of output that they came between. Where
    our standard output is no terminal, our standard error does not wait for it.
    """

    def __init__(self, *, keyboard: bool) -> None:
        self.tally = Tally()
        self.outlet = Outlet()
        self._remarks = self.outlet if sys.stdout.isatty() else Outlet()
        self._row = Row()
        self._attention = Attention(self._answer, keyboard=keyboard)
        self._tell = say.MANNER.tell
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        for outlet in self._outlets:
            await outlet.__aenter__()
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
            await to_the_end(self.flush())
        except Exception:
            if error is None:
                raise
        finally:
            say.MANNER.tell = self._tell
            for outlet in self._outlets:
                await outlet.__aexit__(kind, error, traceback)
            self._row.end()

    @property
    def _outlets(self) -> set[Outlet]:
        return {self.outlet, self._remarks}

    async def flush(self) -> None:
        """Wait until all is written; raise what went wrong."""
        for outlet in self._outlets:
            await outlet.flush()

    def end(self) -> None:
        """Take the row away: all there is to say now is how it went."""
        if self._timer is not None:
            self._timer.cancel()
        self._remarks.put_nowait(self._row.end, b"")

    def writer(self, file: TextIO) -> Writer:
        """Return what writes to one of our streams, above the row."""
        outlet = self._remarks if file is sys.stderr else self.outlet
        return Writer(outlet, self._row.above(file, last=lambda: outlet.is_last))

    def _remark(self, text: str) -> None:
        """Write a remark; that nobody is there to read it must not change what we do."""
        write = self._row.above(sys.stderr)

        def remark(data: bytes) -> None:
            try:
                write(data)
            except OSError:
                say.give_up_on(sys.__stderr__ or sys.stderr)

        data = f"{text}\n".encode(sys.stderr.encoding, errors="backslashreplace")
        self._remarks.put_nowait(remark, data)

    def _answer(self) -> None:
        for line in ([] if self._row.is_shown else [self.tally.text()]) + self.tally.left():
            say.note(line)

    def _look(self) -> None:
        """Say how far it is, if that is news."""
        text, old = self.tally.text(), self._row.text
        self._row.text = text
        if text != old and self._remarks.is_idle:
            self._remarks.put_nowait(self._row.draw, b"")
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._look)
