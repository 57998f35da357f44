"""One command's session: what it prints, kept in bounds until it is taken, and its end."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable
from contextlib import suppress
from typing import Any, Protocol, cast

import asyncssh

from .channels import Channels
from .connection import Emit, Ending
from .ending import ending
from .leash import GRACE, OPENING
from .tap import Tap

WINDOW = 256 * 1024
"""Bytes that a node may send ahead of us (RFC 4254, 5.2): bounds memory per command."""

HELD = 64 * 1024
"""Bytes that may wait for our caller before we stop reading."""

LINGER, LONGEST_LINGER = 1.0, 10.0
"""Seconds that we wait for more output after a command has exited, at once and in all:
something it left in the background may hold its output open for ever."""

LAST_WORDS = 8 * 1024 * 1024
"""Bytes that we still take after the exit: more than can have been under way."""


class Leash(Protocol):
    """What a command on a node ends with."""

    def release(self) -> None:
        """Let go of it, which ends the command."""


class Session(asyncssh.SSHClientSession[bytes]):
    """A command on a node, on a leash: its own standard input, unless that has another use."""

    def __init__(self, leash: Leash | None = None) -> None:
        self._channel: asyncssh.SSHClientChannel[bytes]
        self._tap: Tap
        self._leash = leash
        self._writable = asyncio.Event()
        self._writable.set()
        self._opening: asyncio.Future[Any] | None = None
        self._started = False
        self._held: deque[tuple[str, bytes]] = deque()
        self._size = self._late = 0
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._dropping = False
        self._closed = False
        self._error: Exception | None = None

    async def open(self, channels: Channels, line: str) -> None:
        """Start the command; cancelled, the session still opens, so that `end` can end it."""
        data = line.encode(errors="surrogateescape")  # asyncssh takes bytes, but would not do this
        self._opening = asyncio.ensure_future(
            channels.open(
                lambda: self,
                cast(str, data),
                patient=self._leash is None,
                window=WINDOW,
                request_pty=False,
            )
        )
        await asyncio.shield(self._opening)

    async def send(self, data: bytes) -> None:
        """Send this to the command's standard input, as fast as it takes it."""
        for begin in range(0, len(data), HELD):
            await self._writable.wait()
            if self._over.is_set():
                return
            with suppress(OSError):  # the channel is closed already
                self._channel.write(data[begin : begin + HELD])

    async def pass_input(self, pieces: AsyncIterable[bytes]) -> None:
        """Send all of this, and its end, to the command; stop when it has ended."""
        async for piece in pieces:
            await self.send(piece)
            if self._over.is_set():
                return
        with suppress(OSError):
            self._channel.write_eof()

    async def pass_output(self, emit: Emit) -> None:
        """Hand on all output, until there can be no more or too little came after the exit."""
        patience = LONGEST_LINGER
        while self._late <= LAST_WORDS:
            await self._pass_held(emit)
            if self._closed:
                return
            self._news.clear()
            begun = time.monotonic()
            try:
                async with asyncio.timeout(min(LINGER, patience) if self._over.is_set() else None):
                    await self._news.wait()
            except TimeoutError:
                return
            if self._over.is_set():
                patience -= time.monotonic() - begun  # the time that `emit` takes is no delay

    async def _pass_held(self, emit: Emit) -> None:
        while self._held:
            stream, data = self._held[0]
            await emit(stream, data)  # cut short, it has taken nothing
            self._held.popleft()
            self._size -= len(data)
            if self._size < HELD:
                self._tap.open()

    async def pass_rest(self, emit: Emit) -> None:
        """Hand on what came before the command was ended early, if that takes no time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._pass_held(emit)

    def ending(self) -> Ending:
        """Return how the command ended."""
        return ending(self._channel, self._error)

    async def end(self) -> bool:
        """Have the command ended on the node; return whether the node confirmed that."""
        if self._opening is None:
            return True
        await asyncio.wait([self._opening], timeout=OPENING)
        self._opening.cancel()
        if not self._started:
            return False
        channel = self._channel
        self._dropping = True
        self._tap.open()
        with suppress(OSError):  # the channel is closed already
            if self._leash is None:
                channel.write_eof()
            else:
                self._leash.release()
            if not await self._ends_within(GRACE + 1):
                channel.send_signal("KILL")
                await self._ends_within(1)
        channel.close()
        return channel.get_exit_status() is not None

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
        self._channel, self._tap = chan, Tap(chan)
        self._started = True

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._dropping:
            return
        self._held.append(("stderr" if datatype else "stdout", data))
        self._size += len(data)
        if self._over.is_set():
            self._late += len(data)
        if self._size >= HELD and not self._closed:
            self._tap.shut()
        self._news.set()

    def eof_received(self) -> bool:
        return True  # keep our side, the leash, until the command has exited

    def pause_writing(self) -> None:
        if not self._over.is_set():
            self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def exit_status_received(self, status: int) -> None:
        self._end()

    def exit_signal_received(self, *_: Any) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self._closed = True
        self._tap.open()  # what has come already is ours now, or never
        self._end()

    def _end(self) -> None:
        """Note that the command runs no more."""
        self._over.set()
        self._news.set()
        self._writable.set()
