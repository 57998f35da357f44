"""Open the TCP connection under SSH, and hear what a server says instead of a greeting."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Protocol, cast

from ..errors import Unreachable
from .batch import Batch

CONNECT_TIMEOUT = 10.0
"""Seconds for TCP to come up, and again for the server's greeting."""

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
    """Connects within `CONNECT_TIMEOUT`, and gives the server as long to greet.

    Handed to asyncssh as its `tunnel`; goes `through` another connection, if given one.
    `connected` is whether TCP came up; `heard` is what came before the greeting;
    `greeted` whether that came: if not, the server has taken nothing from us; `silent`
    whether we gave up waiting for it.
    """

    def __init__(self, through: Road | None = None) -> None:
        self.timeout = CONNECT_TIMEOUT
        self.connected = False
        self.greeted = False
        self.silent = False
        self.heard = b""
        self._through = through
        self._ahead: _Preface | None = None
        self._trouble: Exception | None = None

    async def go_ahead(self, host: str, port: int) -> None:
        """Connect already, so that the server gets to work; what goes wrong is told later."""
        try:
            self._ahead = await self._dial(host, port)
        except (OSError, UnicodeError) as error:
            self._trouble = error

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[Any, asyncio.Protocol]:
        """Connect to `host`, unless that was done ahead, and have its SSH protocol begin."""
        if self._trouble is not None:
            raise self._trouble
        preface, self._ahead = self._ahead or await self._dial(host, port), None
        return preface.begin(factory())

    async def _dial(self, host: str, port: int) -> "_Preface":
        """Connect to `host`, trying its addresses side by side (RFC 8305)."""
        async with asyncio.timeout(self.timeout):
            if self._through is not None:
                _, preface = await self._through.create_connection(
                    lambda: _Preface(self), host, port
                )
            else:
                _, preface = await asyncio.get_running_loop().create_connection(
                    lambda: _Preface(self),
                    host,
                    port,
                    happy_eyeballs_delay=None if _is_literal(host) else HEAD_START,
                )
        return cast(_Preface, preface)

    def close(self) -> None:
        """Hang up, if there is a connection that nobody came for."""
        if self._ahead is not None:
            self._ahead.hang_up()


class _Preface(asyncio.Protocol):
    """Passes all on to the SSH protocol, and steps aside once the server has greeted."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._protocol: asyncio.Protocol | None = None
        self._early = b""
        self._end: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._dialer.connected = True
        self._transport = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(self._dialer.timeout, self._give_up)

    def session_started(self) -> None:
        """Begin, where our transport is a channel of another connection."""

    def begin(self, protocol: asyncio.Protocol) -> tuple[Any, asyncio.Protocol]:
        """Hand over to the SSH protocol; raise what has ended the connection already."""
        if self._end is not None:
            raise self._end
        self._protocol = protocol
        protocol.connection_made(cast(asyncio.Transport, Batch(self._transport)))
        if self._early:
            self._transport.resume_reading()
            protocol.data_received(self._early)
            self._step_aside()
        return self._transport, protocol

    def hang_up(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _give_up(self) -> None:
        self._dialer.silent = True
        self._transport.abort()

    def data_received(self, data: bytes, datatype: None = None) -> None:
        if not self._dialer.greeted:
            self._listen(data)
        if self._protocol is not None:
            self._step_aside()
            self._protocol.data_received(data)
            return
        self._early += data
        if self._dialer.greeted or len(self._early) >= LONGEST_PREFACE:
            self._transport.pause_reading()  # it is not our turn to take more

    def _listen(self, data: bytes) -> None:
        heard = self._dialer.heard + data
        before, greeting, _ = heard.partition(GREETING)
        self._dialer.heard = before[:LONGEST_PREFACE]
        if greeting:
            self._dialer.greeted = True
            self._patience.cancel()

    def _step_aside(self) -> None:
        # A channel has no such thing.
        if self._dialer.greeted and isinstance(self._transport, asyncio.Transport):
            self._transport.set_protocol(cast(asyncio.Protocol, self._protocol))

    def eof_received(self) -> bool | None:
        return None if self._protocol is None else self._protocol.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._patience.cancel()
        self._end = error or ConnectionResetError("it hung up")
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()
