"""The two ends of one connection through a tunnel: whoever connected here, and the target."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Protocol, cast

import asyncssh

from .connection import Address
from .socks import Mistake, Negotiation, Reply
from .tap import Tap

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Entrance(Protocol):
    """The tunnel, as a client sees it that comes to its mouth."""

    @property
    def to(self) -> Address | None:
        """Where its connections go to; None if their clients say so."""

    @property
    def is_lost(self) -> bool:
        """Whether the connection to the node is closed."""

    def enter(self, client: "Client") -> None:
        """Take note of a client; it is cut if the tunnel is closed."""

    def leave(self, client: "Client") -> None:
        """Take note that a client is gone."""

    def open(self, client: "Client", to: Address) -> None:
        """Have the node connect, and tell the client what came of it."""

    def complain(self, what: str) -> None:
        """Log what went wrong."""


class Client(asyncio.Protocol):
    """Our end of one connection: who connected to us."""

    def __init__(self, tunnel: Entrance) -> None:
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
        self._tunnel.enter(self)
        if self._tunnel.to is not None and not self.is_closing:
            # Later: an early Python 3.11 has the transport read after this, paused or not.
            asyncio.get_running_loop().call_soon(self._go, self._tunnel.to)

    def data_received(self, data: bytes) -> None:
        if self._target is not None:
            self._target.send(data)
        elif self._socks is not None:
            self._negotiate(self._socks, data)

    def _negotiate(self, socks: Negotiation, data: bytes) -> None:
        try:
            answer = socks.feed(data)
        except Mistake as mistake:
            self._tunnel.complain("a client does not speak SOCKS, or not as it should")
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

    def lose(self) -> None:
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
        self._tunnel.leave(self)
        self.over.set()
        if self._target is not None:
            self._target.close()


class Target(asyncssh.SSHTCPSession[bytes]):
    """The node's end of one connection: what it connected to."""

    def __init__(self, client: Client) -> None:
        self.ended = False
        self._client = client
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._tap: Tap | None = None

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel, self._tap = chan, Tap(chan)
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
        if self._tap is not None:
            self._tap.shut()

    def resume(self) -> None:
        """Read on."""
        if self._tap is not None:
            self._tap.open()

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
        self._channel = self._tap = None
        # The channels of a connection that is lost end first, and some without an error:
        # what became of the connection is known once this is over.
        asyncio.get_running_loop().call_soon(self._client.lose)
