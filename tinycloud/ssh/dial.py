"""Open the TCP connection under SSH, and hear what a server says instead of a greeting."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Protocol, cast

from ..errors import Unreachable
from .batch import Batch

GREETING = b"SSH-"
LONGEST_PREFACE = 8192
"""Bytes that a server may say before its greeting (RFC 4253, 4.2) until we stop noting them."""


class Dropped(Unreachable):
    """The server hung up before it greeted us, so it has taken nothing; `said` is why."""

    def __init__(self, what: str, *, cause: str, fix: str, said: str) -> None:
        reason = "throttled" if said else "hung up"
        super().__init__(what, cause=cause, fix=fix, transient=True, reason=reason)
        self.said = said


class Road(Protocol):
    """A connection that others can be made through."""

    async def create_connection(
        self, session_factory: Any, remote_host: str, remote_port: int
    ) -> tuple[Any, Any]:
        """Open a stream from the other end to a third machine."""


HEAD_START = 0.25
"""Seconds that one address of a host has before the next is tried beside it (RFC 8305, 5)."""


def _is_literal(host: str) -> bool:
    """Return whether this is an address already, which leaves no choice."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Dialer:
    """Connects within `timeout` seconds, and gives the server as many to greet.

    Handed to asyncssh as its `tunnel`; goes `through` another connection, if given one.
    `connected` is whether TCP came up; `heard` is what came before the greeting;
    `greeted` whether that came: if not, the server has taken nothing from us; `silent`
    whether we gave up waiting for it.
    """

    def __init__(self, timeout: float, through: Road | None = None) -> None:
        self.timeout = timeout
        self.connected = False
        self.greeted = False
        self.silent = False
        self.heard = b""
        self._through = through

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[Any, asyncio.Protocol]:
        """Connect to `host`, trying its addresses side by side (RFC 8305)."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.timeout):
            if self._through is not None:
                transport, preface = await self._through.create_connection(
                    lambda: _Preface(self, factory()), host, port
                )
            else:
                transport, preface = await loop.create_connection(
                    lambda: _Preface(self, factory()),
                    host,
                    port,
                    happy_eyeballs_delay=None if _is_literal(host) else HEAD_START,
                )
        return transport, preface.protocol


class _Preface(asyncio.Protocol):
    """Passes all on to the SSH protocol, and steps aside once the server has greeted."""

    def __init__(self, dialer: Dialer, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol
        self._dialer = dialer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._dialer.connected = True
        self._transport = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(self._dialer.timeout, self._give_up)
        self.protocol.connection_made(cast(asyncio.Transport, Batch(self._transport)))

    def session_started(self) -> None:
        """Begin, where our transport is a channel of another connection."""

    def _give_up(self) -> None:
        self._dialer.silent = True
        self._transport.abort()

    def data_received(self, data: bytes, datatype: None = None) -> None:
        if not self._dialer.greeted:
            self._listen(data)
        self.protocol.data_received(data)

    def _listen(self, data: bytes) -> None:
        heard = self._dialer.heard + data
        before, greeting, _ = heard.partition(GREETING)
        self._dialer.heard = before[:LONGEST_PREFACE]
        if greeting:
            self._dialer.greeted = True
            self._patience.cancel()
            if isinstance(self._transport, asyncio.Transport):  # a channel has no such thing
                self._transport.set_protocol(self.protocol)

    def eof_received(self) -> bool | None:
        return self.protocol.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._patience.cancel()
        self.protocol.connection_lost(error)

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()
