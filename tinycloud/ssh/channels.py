"""The channels of one connection: only as many at once as its server takes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncssh

AT_ONCE = 8
"""Channels that we open at once: sshd's `MaxSessions` is 10."""

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts to open a channel that the server refuses."""

_TOO_MANY = (asyncssh.OPEN_CONNECT_FAILED, asyncssh.OPEN_RESOURCE_SHORTAGE)


class Channels:
    """Hands out turns, and opens a channel for who has one."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection
        self._window = asyncio.Semaphore(AT_ONCE)
        self._door = asyncio.Lock()
        self._turns = 0

    @asynccontextmanager
    async def turn(self, channels: int = 1) -> AsyncIterator[None]:
        """Wait for a turn with so many channels, and have it for as long as the block lasts."""
        async with AsyncExitStack() as stack:
            async with self._door:  # or two that each had one would wait for each other
                for _ in range(channels):
                    await stack.enter_async_context(self._window)
            self._turns += 1
            try:
                yield
            finally:
                self._turns -= 1

    async def open(
        self,
        session: Callable[[], asyncssh.SSHClientSession[bytes]],
        command: str | tuple[()] = (),
        *,
        patient: bool = True,
        **options: Any,
    ) -> None:
        """Open a channel for a session of bytes.

        Where the server takes fewer sessions than we open (or still counts some that
        are over), waits until others of ours have ended; who is not `patient` has a
        channel already, and does not wait for those that may wait for it.
        Raises `asyncssh.Error`.
        """
        tries = 0
        while True:
            try:
                await self._connection.create_session(session, command, encoding=None, **options)
                return
            except asyncssh.ChannelOpenError as error:
                if not self._may_try_again(error, tries, patient=patient):
                    raise
            # Nothing has been started. The last pause lasts while others keep the server busy.
            await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1

    def _may_try_again(
        self, error: asyncssh.ChannelOpenError, tries: int, *, patient: bool
    ) -> bool:
        if error.code not in _TOO_MANY or self.is_closed:
            return False
        return tries < len(PAUSES) or (patient and self._turns > 1)

    @property
    def is_closed(self) -> bool:
        """Whether the connection can't be used any more."""
        return self._connection.is_closed()
