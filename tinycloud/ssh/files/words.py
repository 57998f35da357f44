"""What went wrong on a node, in our words, and so that nothing it said can do harm."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh
from asyncssh.packet import PacketDecodeError

from ...text import printable
from .feed import Cut
from .trouble import Lost, Refused, errno_words

LONGEST = 300
"""Characters of what a node says that are passed on."""


@contextmanager
def explained(what: str, connection: asyncssh.SSHClientConnection) -> Iterator[None]:
    """Turn what asyncssh raises into `Refused` and `Lost`; `what` was being done."""
    try:
        yield
    except Refused as refusal:
        raise refusal if not connection.is_closed() else Lost(str(refusal)) from refusal
    except (asyncssh.Error, OSError, PacketDecodeError, Cut, asyncio.IncompleteReadError) as error:
        cause = said(error)
        if connection.is_closed() or isinstance(error, asyncssh.ConnectionLost):
            raise Lost(f"the connection was lost: {cause}") from error
        raise Refused(f"{what}: {cause}" if what else cause) from error


def said(error: Exception) -> str:
    """Return the cause of an error in words that can be shown."""
    for kind, text in _KNOWN:
        if isinstance(error, kind):
            return text
    if isinstance(error, OSError) and error.errno:
        return errno_words(error.errno)
    text = str(error) if isinstance(error, Cut) else getattr(error, "reason", "") or str(error)
    return printable(text)[:LONGEST] or type(error).__name__


def complaint(stderr: bytes) -> str:
    """Return why a script failed, out of all that its programs said about it."""
    lines = [line for line in stderr.decode(errors="backslashreplace").splitlines() if line.strip()]
    telling = (line for line in lines if any(text in line for text in _TELLING))
    line = next(telling, lines[0] if lines else "it gave no reason")
    return printable(line.strip())[:LONGEST]


_TELLING = ("No space left", "quota exceeded", "Read-only file system", "Permission denied")

_KNOWN: tuple[tuple[type[Exception], str], ...] = (
    (asyncssh.SFTPNoSuchFile, "no such file or folder"),
    (asyncssh.SFTPNoSuchPath, "no such folder"),
    (asyncssh.SFTPPermissionDenied, "permission denied"),
    (asyncssh.SFTPNoSpaceOnFilesystem, "no space left"),
    (asyncssh.SFTPQuotaExceeded, "the disk quota is exceeded"),
    (asyncssh.SFTPConnectionLost, "its SFTP server ended"),
    (asyncssh.SFTPNoConnection, "its SFTP server ended"),
    (PacketDecodeError, "it sent what is not SFTP"),
)
