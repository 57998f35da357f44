"""Tunnels: listen here, and carry each connection to where a node can go."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from ..fanout import fan_out, to_the_end
from ..host import Host
from ..text import printable
from .connection import Address
from .ends import Client, Target
from .listening import listening
from .socks import Reply

WINDOW = 1 << 21
"""Bytes that a node may send ahead of a client that reads slowly, for each connection."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def forward(
    connection: asyncssh.SSHClientConnection, name: str, *, listen: Address, to: Address | None
) -> AsyncIterator[Address]:
    """Carry what connects here, for as long as the block lasts; see `Connection.forward`."""
    tunnel = Tunnel(connection, name, to)
    server = await listening(lambda: Client(tunnel), listen)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield host, port
    finally:
        server.close()
        await to_the_end(tunnel.close())


class Tunnel:
    """All connections of one listening address; `to` is where they go, None if they say so."""

    def __init__(
        self, connection: asyncssh.SSHClientConnection, name: str, to: Address | None
    ) -> None:
        self.to = to
        self._connection = connection
        self._name = name
        self._clients: set[Client] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def is_lost(self) -> bool:
        """Whether the connection to the node is closed."""
        return self._connection.is_closed()

    def enter(self, client: Client) -> None:
        """Take note of a client; it is cut if the tunnel is closed."""
        self._clients.add(client)
        if self._closed:
            client.cut()

    def leave(self, client: Client) -> None:
        """Take note that a client is gone."""
        self._clients.discard(client)

    def complain(self, what: str) -> None:
        """Log what went wrong."""
        _log.warning("%s: %s", self._name, what)

    def open(self, client: Client, to: Address) -> None:
        """Have the node connect, and tell the client what came of it."""
        task = asyncio.ensure_future(self._open(client, to))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, client: Client, to: Address) -> None:
        # Never cancelled, not even when the tunnel closes: a channel that opens with nobody
        # waiting for it would stay open. With the tunnel closed, it is closed at once.
        try:
            await self._connection.create_connection(
                lambda: Target(client), *to, *client.origin, window=WINDOW
            )
        except (asyncssh.Error, OSError) as error:
            if not client.is_closing:
                place = printable(str(Host(address=to[0], port=to[1])))
                self.complain(f"can't connect to {place}: {_reason(error)}")
                client.refuse(_reply(error))

    async def close(self) -> None:
        """Cut all connections, and wait until they are."""
        self._closed = True
        for client in self._clients:
            client.cut()
        await fan_out(lambda client: client.over.wait(), self._clients)


def _reply(error: Exception) -> Reply:
    """Return what a SOCKS client is told of a failure."""
    if _is_forbidden(error):
        return Reply.FORBIDDEN
    return Reply.REFUSED if "refused" in str(error).lower() else Reply.UNREACHABLE


def _reason(error: Exception) -> str:
    """Return what the node's server says of a failure."""
    words = printable(str(error))
    return f"its SSH server forbids it: {words}" if _is_forbidden(error) else words


def _is_forbidden(error: Exception) -> bool:
    prohibited = asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
    return isinstance(error, asyncssh.ChannelOpenError) and error.code == prohibited
