"""An SFTP session with a node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from .refusal import Refused
from .words import explained

BLOCK = 256 * 1024
"""Bytes that a request reads or writes at most, as OpenSSH allows."""

SMALLEST_BLOCK = 4 * 1024
"""Bytes that every server must take in one request, whatever it says."""


@asynccontextmanager
async def session(
    connection: asyncssh.SSHClientConnection,
) -> AsyncIterator[asyncssh.SFTPClient]:
    """Open an SFTP session, in which paths are bytes, for as long as the block lasts."""
    with explained("can't start SFTP", connection):
        try:
            client = await connection.start_sftp_client(path_encoding=None)
        except asyncssh.ChannelOpenError as error:
            raise Refused("it has no SFTP server: install one there (openssh-sftp-server)") from error
        except asyncssh.SFTPBadMessage as error:
            raise Refused(
                "its SFTP server is not understood: what its shell prints at login gets in between"
            ) from error
    try:
        yield client
    finally:
        client.exit()


def read_block(client: asyncssh.SFTPClient) -> int:
    """Return how many bytes to read with one request."""
    return _block(client.limits.max_read_len)


def write_block(client: asyncssh.SFTPClient) -> int:
    """Return how many bytes to write with one request."""
    return _block(client.limits.max_write_len)


def _block(allowed: int) -> int:
    return min(max(allowed, SMALLEST_BLOCK), BLOCK)
