"""Open the TCP connection under SSH, and hear what a server says instead of a greeting."""

import asyncio
from collections.abc import Callable
from typing import cast

GREETING = b"SSH-"
LONGEST_PREFACE = 8192
"""Bytes that a server may say before its greeting (RFC 4253, 4.2) until we stop noting them."""


class Dialer:
    """Connects with a deadline of its own; handed to asyncssh as its `tunnel`.

    `connected` is whether TCP came up; `heard` is what came before the greeting;
    `greeted` whether that came: if not, the server has taken nothing from us.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.connected = False
        self.greeted = False
        self.heard = b""

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.BaseTransport, asyncio.Protocol]:
        """Connect to `host`, trying its addresses side by side (RFC 8305)."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout):
            transport, preface = await loop.create_connection(
                lambda: _Preface(self, factory()), host, port, happy_eyeballs_delay=0.25
            )
        self.connected = True
        return transport, preface.protocol


class _Preface(asyncio.Protocol):
    """Passes all on to the SSH protocol, and steps aside once the server has greeted."""

    def __init__(self, dialer: Dialer, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol
        self._dialer = dialer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        heard = self._dialer.heard + data
        before, greeting, _ = heard.partition(GREETING)
        self._dialer.heard = before[:LONGEST_PREFACE]
        if greeting:
            self._dialer.greeted = True
            self._transport.set_protocol(self.protocol)
        self.protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self.protocol.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self.protocol.connection_lost(error)

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()
