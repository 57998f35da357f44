"""An SFTP session with a node."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing
from typing import TypeVar

import asyncssh

from ..channels import PAUSES, Channels
from .silence import Silence
from .trouble import Refused
from .words import explained

BLOCK = 256 * 1024
"""Bytes that a request reads or writes at most, as OpenSSH allows."""

SMALLEST_BLOCK = 4 * 1024
"""Bytes that every server must take in one request, whatever it says."""

_TOO_MANY = (asyncssh.OPEN_CONNECT_FAILED, asyncssh.OPEN_RESOURCE_SHORTAGE)


R = TypeVar("R")


class Session:
    """What an SFTP server is asked through: `client` makes the requests."""

    def __init__(self, client: asyncssh.SFTPClient, silence: Silence) -> None:
        self.client = client
        self._silence = silence

    async def answer(self, request: Awaitable[R]) -> R:
        """Return the answer to a request; raise `TimeoutError` if the server falls silent."""
        return await self._silence.broken(request)


@asynccontextmanager
async def session(
    connection: asyncssh.SSHClientConnection, channels: Channels
) -> AsyncIterator[Session]:
    """Open an SFTP session, in which paths are bytes, for as long as the block lasts."""
    async with channels.turn():
        with closing(Silence()) as silence:
            with explained("can't start SFTP", connection):
                client = await silence.broken(_started(connection))
            try:
                yield Session(client, silence)
            finally:
                client.exit()


async def _started(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    for pause in PAUSES:
        try:
            return await _start(connection)
        except asyncssh.ChannelOpenError as error:
            if error.code not in _TOO_MANY:
                raise
        await asyncio.sleep(pause)  # it may still count channels that are over
    return await _start(connection)


async def _start(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    try:
        return await connection.start_sftp_client(path_encoding=None)
    except asyncssh.ChannelOpenError as error:
        if error.code in _TOO_MANY:
            raise
        raise Refused("it has no SFTP server: install one (openssh-sftp-server)") from error
    except asyncssh.SFTPConnectionLost as error:
        raise Refused("its SFTP server ended at once: install openssh-sftp-server") from error
    except asyncssh.SFTPBadMessage as error:
        cause = "what its shell prints at each login gets in between"
        raise Refused(f"its SFTP server is not understood: {cause}") from error


def read_block(client: asyncssh.SFTPClient) -> int:
    """Return how many bytes to read with one request."""
    return _block(client.limits.max_read_len)


def write_block(client: asyncssh.SFTPClient) -> int:
    """Return how many bytes to write with one request."""
    return _block(client.limits.max_write_len)


def _block(allowed: int) -> int:
    return min(max(allowed, SMALLEST_BLOCK), BLOCK)
