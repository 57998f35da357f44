"""Tunnels: listen here, and carry each connection to where a node can go."""

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import asyncssh

from ..errors import InvalidInput, MachineError, TinycloudError
from ..fanout import fan_out, to_the_end
from ..host import Host
from ..text import printable
from .connection import Address
from .socks import Mistake, Negotiation, Reply

WINDOW = 1 << 21
"""Bytes that a node may send ahead of a client that reads slowly, for each connection."""

BACKLOG = 128
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_log = logging.getLogger(__name__)


@asynccontextmanager
async def forward(
    connection: asyncssh.SSHClientConnection, name: str, *, listen: Address, to: Address | None
) -> AsyncIterator[Address]:
    """Carry what connects here, for as long as the block lasts; see `Connection.forward`."""
    tunnel = Tunnel(connection, name, to)
    server = await _listening(tunnel.client, *listen)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield host, port
    finally:
        server.close()
        await to_the_end(tunnel.close())


async def _listening(
    factory: Callable[[], asyncio.Protocol], address: str, port: int
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(factory, address, port, backlog=BACKLOG)
    except OSError as error:
        raise _deaf(address, port, error) from error


def _deaf(address: str, port: int, error: OSError) -> TinycloudError:
    """Return the error for an address and port that can't be listened on."""
    what = f"can't listen on {address} port {port}"
    if error.errno == errno.EADDRINUSE:
        fix = "end the program that does, or take another port; 0 takes any that is free"
        return MachineError(what, cause="a program listens there already", fix=fix)
    if error.errno == errno.EACCES:
        fix = "take a port from 1024 up; 0 takes any that is free"
        return MachineError(what, cause="you may not", fix=fix)
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        cause = "this machine has no such address"
        return InvalidInput(what, cause=cause, fix="give one that it has, such as 127.0.0.1")
    return MachineError(what, cause=error.strerror or str(error), fix="see --debug")


class Tunnel:
    """All connections of one listening address; `to` is where they go, None if they say so."""

    def __init__(
        self, connection: asyncssh.SSHClientConnection, name: str, to: Address | None
    ) -> None:
        self.to = to
        self.clients: set[Client] = set()
        self.closed = False
        self._connection = connection
        self._name = name
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def is_lost(self) -> bool:
        """Whether the connection to the node is closed."""
        return self._connection.is_closed()

    def client(self) -> "Client":
        """Return what takes a new connection."""
        return Client(self)

    def open(self, client: "Client", to: Address) -> None:
        """Have the node connect, and tell the client what came of it."""
        task = asyncio.ensure_future(self._open(client, to))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, client: "Client", to: Address) -> None:
        # Never cancelled, not even when the tunnel closes: a channel that opens with nobody
        # waiting for it would stay open. With the tunnel closed, it is closed at once.
        try:
            await self._connection.create_connection(
                lambda: Target(client), *to, *client.origin, window=WINDOW
            )
        except (asyncssh.Error, OSError) as error:
            if not client.is_closing:
                place = printable(str(Host(address=to[0], port=to[1])))
                _log.warning("%s can't connect to %s: %s", self._name, place, _reason(error))
                client.refuse(_reply(error))

    async def close(self) -> None:
        """Cut all connections, and wait until they are."""
        self.closed = True
        for client in tuple(self.clients):
            client.cut()
        await fan_out(lambda client: client.over.wait(), tuple(self.clients))


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


class Client(asyncio.Protocol):
    """Our end of one connection: who connected to us."""

    def __init__(self, tunnel: Tunnel) -> None:
        self.over = asyncio.Event()
        self._tunnel = tunnel
        self._socks = Negotiation() if tunnel.to is None else None
        self._target: Target | None = None
        self._ended = False

    @property
    def origin(self) -> Address:
        """Where the client connects from."""
        host, port = self._transport.get_extra_info("peername")[:2]
        return host, port

    @property
    def is_closing(self) -> bool:
        """Whether the client is gone, or soon will be."""
        return self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tunnel.clients.add(self)
        if self._tunnel.closed:
            self.cut()
        elif self._tunnel.to is not None:
            self._go(self._tunnel.to)

    def data_received(self, data: bytes) -> None:
        if self._target is not None:
            self._target.send(data)
        elif self._socks is not None:
            self._negotiate(self._socks, data)

    def _negotiate(self, socks: Negotiation, data: bytes) -> None:
        try:
            answer = socks.feed(data)
        except Mistake as mistake:
            _log.warning("a client of the SOCKS proxy does not speak as it should")
            self._transport.write(mistake.answer)
            self._transport.close()
            return
        self._transport.write(answer)
        if socks.to is not None:
            self._go(socks.to)

    def _go(self, to: Address) -> None:
        self._transport.pause_reading()  # what it sends now waits where it costs nothing
        self._tunnel.open(self, to)

    def join(self, target: "Target") -> None:
        """Take note that the node has connected."""
        self._target = target
        if self._socks is not None:
            self._transport.write(self._socks.reply(Reply.GRANTED))
            target.send(self._socks.rest)
        self._transport.resume_reading()

    def refuse(self, reply: Reply) -> None:
        """Take note that the node could not connect."""
        if self._socks is None:
            self.cut()
        else:
            self._transport.write(self._socks.reply(reply))
            self._transport.close()

    def send(self, data: bytes) -> None:
        """Send this to the client."""
        if not self.is_closing:
            self._transport.write(data)

    def finish(self) -> None:
        """Tell the client that nothing more comes."""
        self._transport.write_eof()
        self._close_if_ended()

    def eof_received(self) -> bool:
        if self._target is None:
            return False
        self._ended = True
        self._target.finish()
        self._close_if_ended()
        return True  # the other direction goes on

    def _close_if_ended(self) -> None:
        if self._ended and self._target is not None and self._target.ended:
            self._target.close()
            self._transport.close()

    def pause_writing(self) -> None:
        if self._target is not None:
            self._target.pause()

    def resume_writing(self) -> None:
        if self._target is not None:
            self._target.resume()

    def pause(self) -> None:
        """Read no more from the client for now."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def leave(self) -> None:
        """Take note that there is no way to the target any more."""
        if self._tunnel.is_lost:
            self.cut()
        else:
            self._transport.close()

    def cut(self) -> None:
        """Break the connection off, so that the client can't take it for its proper end."""
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    @property
    def _socket(self) -> socket.socket:
        return cast(socket.socket, self._transport.get_extra_info("socket"))

    def connection_lost(self, error: Exception | None) -> None:
        self._tunnel.clients.discard(self)
        self.over.set()
        if self._target is not None:
            self._target.close()


class Target(asyncssh.SSHTCPSession[bytes]):
    """The node's end of one connection: what it connected to."""

    def __init__(self, client: Client) -> None:
        self.ended = False
        self._client = client
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan
        if self._client.is_closing:
            chan.abort()
        else:
            self._client.join(self)

    def send(self, data: bytes) -> None:
        """Send this to the target."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    def finish(self) -> None:
        """Tell the target that nothing more comes."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()

    def pause(self) -> None:
        """Read no more from the target for now."""
        if self._channel is not None:
            self._channel.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._channel is not None:
            self._channel.resume_reading()

    def close(self) -> None:
        """Close the channel, once all is sent."""
        if self._channel is not None:
            self._channel.close()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._client.send(data)

    def eof_received(self) -> bool:
        self.ended = True
        self._client.finish()
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        self._client.pause()

    def resume_writing(self) -> None:
        self._client.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        # The channels of a connection that is lost end first, and some without an error:
        # what became of the connection is known once this is over.
        asyncio.get_running_loop().call_soon(self._client.leave)
