"""The connection to one node, as asyncssh makes it."""

import asyncio
from collections.abc import Mapping

import asyncssh

from ..node import Node
from .command import run
from .connection import Emit, Ending
from .leash import leashed
from .shell import shell

CHANNELS = 8
"""Commands under way at once over one connection: sshd's `MaxSessions` is 10."""

CLOSE_TIMEOUT = 2.0
"""Seconds that a peer has to take note of our leaving."""


class Link:
    """A `Connection` over asyncssh."""

    def __init__(self, node: Node, connection: asyncssh.SSHClientConnection) -> None:
        self._node = node
        self._connection = connection
        self._channels = asyncio.Semaphore(CHANNELS)

    @property
    def node(self) -> Node:
        """The node at the other end."""
        return self._node

    @property
    def is_closed(self) -> bool:
        """Whether the connection can't be used any more."""
        return self._connection.is_closed()

    async def run(
        self,
        command: str,
        *,
        emit: Emit,
        variables: Mapping[str, str],
        timeout: float | None = None,
    ) -> Ending:
        """Run a shell command; see `Connection.run`."""
        line = leashed(command, variables)
        async with self._channels:
            return await run(self._connection, line, emit=emit, timeout=timeout)

    async def shell(self) -> Ending:
        """Give this process's terminal to a shell on the node."""
        async with self._channels:
            return await shell(self._connection)

    async def close(self) -> None:
        """Close the connection, without waiting for a peer that does not answer."""
        self._connection.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()
