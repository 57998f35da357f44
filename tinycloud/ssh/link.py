"""The connection to one node, as asyncssh makes it."""

import asyncio
from collections.abc import AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Self

import asyncssh

from ..fanout import insistently
from ..node import Node
from ..result import State
from .channels import Channels
from .command import Command, run
from .connection import Address, Emit, Ending, Transfer
from .files.progress import Report, Tally
from .forward import forward
from .script import Script
from .shell import shell
from .stop import Stop

CLOSE_TIMEOUT = 2.0
"""Seconds that a peer has to take note of our leaving."""


class Link:
    """A `Connection` over asyncssh; `through` is that of the bastion it goes over."""

    def __init__(
        self,
        node: Node,
        connection: asyncssh.SSHClientConnection,
        through: Self | None = None,
    ) -> None:
        self._node = node
        self._connection = connection
        self._through = through
        self._channels = Channels(connection)

    @property
    def node(self) -> Node:
        """The node at the other end."""
        return self._node

    @property
    def is_closed(self) -> bool:
        """Whether the connection can't be used any more."""
        return self._channels.is_closed

    async def run(
        self,
        command: str | Script,
        *,
        emit: Emit,
        variables: Mapping[str, str],
        timeout: float | None = None,
        sudo: bool = False,
        input: AsyncIterable[bytes] | None = None,
        stop: Stop | None = None,
    ) -> Ending:
        """Run a shell command or a script; see `Connection.run`."""
        wanted = Command(
            text=command,
            variables=variables,
            sudo=sudo,
            input=input,
            timeout=timeout,
            stop=stop or Stop(),
        )
        async with self._channels.turn(wanted.channels):
            ending = await run(self._channels, wanted, emit)
        return self._explained(ending)

    async def shell(self) -> Ending:
        """Give this process's terminal to a shell on the node."""
        async with self._channels.turn():
            ending = await shell(self._channels)
        return self._explained(ending)

    def _explained(self, ending: Ending) -> Ending:
        """Name the bastion where it took the connection with it."""
        if ending.state is not State.LOST or self._through is None or not self._through.is_closed:
            return ending
        return replace(ending, error=f"{ending.error} (so was {self._through.node.name})")

    async def create_connection(
        self, session_factory: Any, remote_host: str, remote_port: int
    ) -> tuple[Any, Any]:
        """Open a stream from the node to another machine: what a `Dialer` goes through."""
        return await self._connection.create_connection(session_factory, remote_host, remote_port)

    def forward(self, listen: Address, to: Address | None) -> AbstractAsyncContextManager[Address]:
        """Carry connections from here to where the node can go; see `Connection.forward`."""
        return forward(self._connection, self._node.name, listen=listen, to=to)

    async def move(self, transfer: Transfer, report: Report) -> Ending:
        """Put or get files; see `Connection.move`."""
        tally = Tally(self._node.name, report)
        # Closing files and listings waits for the node's answer, and a node may give none.
        work = transfer.on(self._connection, self._channels, tally)
        return self._explained(await insistently(work))

    async def wait_closed(self) -> None:
        """Wait until the connection can't be used any more."""
        await self._connection.wait_closed()

    async def close(self) -> None:
        """Close the connection, without waiting for a peer that does not answer."""
        self._connection.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()
