"""Run one command over a connection: bytes out, back-pressure, and always an ending."""

import asyncio
import signal
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import asyncssh

from ..fanout import to_the_end
from ..result import State
from ..text import printable
from .connection import Emit, Ending
from .leash import GRACE

WINDOW = 256 * 1024
"""Bytes that a node may send ahead of us (RFC 4254, 5.2): bounds memory per command."""

HELD = 64 * 1024
"""Bytes that may wait for our caller before we stop reading."""

LINGER, LONGEST_LINGER = 1.0, 10.0
"""Seconds without output, and in all, that we listen on after a command has exited:
something it left in the background may hold its output open for ever."""


async def run(
    connection: asyncssh.SSHClientConnection, line: str, *, emit: Emit, timeout: float | None
) -> Ending:
    """Run `line`, which must end when its standard input does; see `Connection.run`."""
    session = Session()
    try:
        async with asyncio.timeout(timeout):
            await connection.create_session(
                lambda: session, line, encoding=None, window=WINDOW, request_pty=False
            )
    except TimeoutError:
        return Ending(state=State.TIMEOUT, error=f"not started within {timeout:g} s")
    except (asyncssh.Error, OSError) as error:
        return Ending(state=State.LOST, error=f"not started: {printable(str(error))}")
    try:
        async with asyncio.timeout(timeout):
            async for stream, data in session.output():
                await emit(stream, data)
    except TimeoutError:
        ended = await to_the_end(session.end())
        doubt = "" if ended else ", and may still be running: it did not confirm its end"
        return Ending(state=State.TIMEOUT, error=f"timed out after {timeout:g} s{doubt}")
    except BaseException:
        await to_the_end(session.end())
        raise
    session.close()
    return session.ending()


class Session(asyncssh.SSHClientSession[bytes]):
    """Holds what a command prints until it is taken, and how it ended."""

    def __init__(self) -> None:
        self._held: deque[tuple[str, bytes]] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._dropping = False
        self._closed = False
        self._error: Exception | None = None

    async def output(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield pieces of output until there can be no more, or none came after the exit."""
        loop = asyncio.get_running_loop()
        last = None
        while True:
            while self._held:
                stream, data = self._held.popleft()
                self._size -= len(data)
                if self._size < HELD:
                    self._channel.resume_reading()
                yield stream, data
            if self._closed:
                return
            self._news.clear()
            quiet = None
            if self._over.is_set():
                last = last or loop.time() + LONGEST_LINGER
                quiet = min(loop.time() + LINGER, last)
            try:
                async with asyncio.timeout_at(quiet):
                    await self._news.wait()
            except TimeoutError:
                return

    def ending(self) -> Ending:
        """Return how the command ended; unknown is `lost`."""
        status, killed = self._channel.get_exit_status(), self._channel.get_exit_signal()
        if killed is not None:
            name = printable(killed[0])
            return Ending(state=State.SIGNALLED, signal=name, error=f"killed by SIG{name}")
        if status is None:
            cause = f": {printable(str(self._error))}" if self._error else ""
            return Ending(state=State.LOST, error=f"the connection was lost{cause}")
        if status:
            return Ending(state=State.FAILED, exit_status=status, error=f"exit status {status}")
        return Ending(state=State.OK, exit_status=0)

    async def end(self) -> bool:
        """Have the command ended on the node; return whether the node confirmed that."""
        self._dropping = True
        self._held.clear()
        self._channel.resume_reading()
        try:
            self._channel.write_eof()
            if not await self._ends_within(GRACE + 1):
                self._channel.send_signal(signal.SIGKILL.name.removeprefix("SIG"))
                await self._ends_within(1)
        except OSError:  # the channel is closed already
            pass
        self.close()
        return self._channel.get_exit_status() is not None or (
            self._channel.get_exit_signal() is not None
        )

    async def _ends_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Close the channel; the leash goes with it."""
        self._channel.close()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._dropping:
            return
        self._held.append(("stderr" if datatype else "stdout", data))
        self._size += len(data)
        if self._size >= HELD:
            self._channel.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        return True  # keep our side, the leash, until the command has exited

    def exit_status_received(self, status: int) -> None:
        self._over.set()
        self._news.set()

    def exit_signal_received(self, *_: Any) -> None:
        self._over.set()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self._closed = True
        self._over.set()
        self._news.set()
