"""Run a script on a node and feed it: a command whose standard input we have a use for."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import asyncssh

from ...fanout import to_the_end
from ..channels import Channels
from .script import END

SAID = 8 * 1024
"""Bytes of what a script prints that are kept, if it was not asked for anything."""

LINE = 128
"""Bytes that an answer holds for each name, beside the name itself."""

BYE = b"bye\n"

ENDING = 3.0
"""Seconds that a script has to end in and clean up after itself, when it is cut short."""


class Cut(Exception):
    """The channel to a script closed before it told how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a script ended, and what it printed; `status` is None if a signal killed it."""

    status: int | None
    stdout: bytes
    stderr: bytes


Sink = Callable[[bytes], None]
"""Takes what a script prints, as it comes; what it raises ends the script."""


async def asked(channels: Channels, line: str, words: bytes, *, sink: Sink | None = None) -> Answer:
    """Run a script that reads `words`, and that ends when we do; return its answer.

    With a `sink` that gets what the script prints.
    """

    async def once() -> AsyncGenerator[bytes, None]:
        yield words

    # A node that answers more than it was asked is not to fill our memory.
    limit = SAID + 2 * len(words) + LINE * words.count(b"\0")
    return await fed(channels, line, once(), leashed=True, sink=sink, limit=limit)


async def fed(
    channels: Channels,
    line: str,
    pieces: AsyncGenerator[bytes | memoryview, None] | AsyncGenerator[bytes, None],
    *,
    leashed: bool = False,
    sink: Sink | None = None,
    limit: int = SAID,
) -> Answer:
    """Run a script and feed it as fast as it takes it; return how it ended.

    One that is `leashed` says when it has printed everything, and lives no longer than
    its standard input. Any other knows from what it is fed whether it got it all. So,
    cut short in whatever way, it comes to an end and leaves nothing behind. Raises
    `Cut`, what asyncssh raises, and what the `sink` does; without one the answer holds
    up to `limit` bytes of what was printed.
    """
    printed = bytearray()
    session = _Feed(sink or (lambda data: printed.extend(data[: limit - len(printed)])))
    try:
        await session.open(channels, line)
        async with aclosing(pieces):
            async for piece in pieces:
                if not await session.write(piece):
                    break
        if leashed:
            await session.said_end()
            await session.write(BYE)
        session.finish()
        return await session.answer(printed)
    except BaseException:
        await to_the_end(session.end())
        raise


class _Feed(asyncssh.SSHClientSession[bytes]):
    """Keeps what the script prints, and knows whether it takes more."""

    def __init__(self, sink: Sink) -> None:
        self.channel: asyncssh.SSHClientChannel[bytes]
        self._opening: asyncio.Future[None] | None = None
        self._started = False
        self._sink = sink
        self._closed = asyncio.Event()
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._ready = asyncio.Event()
        self._ready.set()
        self._ended = asyncio.Event()
        self._stderr = bytearray()
        self._last = b""
        self._error: Exception | None = None
        self._failure: Exception | None = None

    async def open(self, channels: Channels, line: str) -> None:
        """Start the script; cancelled, it still starts, so that `end` can end it."""
        self._opening = asyncio.ensure_future(channels.open(lambda: self, line, request_pty=False))
        await asyncio.shield(self._opening)

    async def write(self, data: bytes | memoryview) -> bool:
        """Hand data to the script; return whether it is still there to take it."""
        await self._ready.wait()
        if self._over.is_set() or self._failure is not None:
            return False
        self.channel.write(bytes(data))
        return True

    async def said_end(self) -> None:
        """Wait until the script has printed everything."""
        await self._ended.wait()

    def finish(self) -> None:
        """Say that there is no more."""
        if not self._over.is_set():
            self.channel.write_eof()

    async def end(self) -> None:
        """Have the script end early, and give it time to clean up."""
        if self._opening is not None:
            await asyncio.wait([self._opening], timeout=ENDING)
            self._opening.cancel()
        if not self._started:
            return
        try:
            self.finish()
            async with asyncio.timeout(ENDING):
                await self._closed.wait()
        except (TimeoutError, OSError):
            pass
        self.channel.close()

    async def answer(self, printed: bytes | bytearray) -> Answer:
        """Wait for the end, and return how the script ended; raise `Cut` if nobody knows."""
        await self._settled.wait()
        if self._failure is not None:
            raise self._failure
        status, killed = self.channel.get_exit_status(), self.channel.get_exit_signal()
        if status is None and killed is None:
            raise Cut(str(self._error or "")) from self._error
        return Answer(status=status, stdout=bytes(printed), stderr=bytes(self._stderr))

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan
        self._started = True

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype:
            self._stderr += data[: SAID - len(self._stderr)]
            self._last = (self._last + data)[-len(END) :]
            if self._last == END:
                self._ended.set()
        elif self._failure is None:
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            self._sink(data)
        except Exception as error:  # it is for whoever waits for the answer
            self._failure = error
            for event in (self._settled, self._ended, self._ready):
                event.set()

    def eof_received(self) -> bool:
        return True

    def pause_writing(self) -> None:
        self._ready.clear()

    def resume_writing(self) -> None:
        self._ready.set()

    def exit_status_received(self, status: int) -> None:
        self._stop()

    def exit_signal_received(self, *_: Any) -> None:
        self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self._closed.set()
        self._settled.set()
        self._stop()

    def _stop(self) -> None:
        """Note that the script takes no more, and won't say that it is at its end."""
        self._over.set()
        self._ready.set()
        self._ended.set()
