"""A FIFO on a node that we hold open: the leash of a command that has a use for its input."""

import asyncio
import secrets
from contextlib import suppress

import asyncssh

from .channels import Channels
from .leash import OPENING, lines_of_sh

MOST_SAID = 64 * 1024
"""Bytes that a node may say before it tells where the FIFO is: start-up files may print, too."""

# Opened for both, it waits for nobody; the name goes when we do.
_HOLD = """\
umask 077
for folder in "${{TMPDIR:-/tmp}}" "$HOME" /dev/shm; do
fifo=$folder/{name}
mkfifo "$fifo" && break
done
[ -p "$fifo" ] && exec 4<>"$fifo" || exit
echo
echo "$fifo"
while read -r line || [ $? -gt 128 ]; do :; done
rm -f "$fifo\""""


class Fifo(asyncssh.SSHClientSession[bytes]):
    """A session on a node that does nothing but hold a FIFO open, until we let go of it."""

    def __init__(self) -> None:
        self._opening: asyncio.Future[None] | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._name = f"tinycloud-{secrets.token_hex(16)}"
        self._said = b""
        self._answered = asyncio.Event()

    async def make(self, channels: Channels) -> str:
        """Make it, and return its path; raise `OSError` or `asyncssh.Error` if it can't be.

        Cancelled, the session still opens, so that `close` can end it.
        """
        line = lines_of_sh(_HOLD.format(name=self._name))
        self._opening = asyncio.ensure_future(channels.open(lambda: self, line, request_pty=False))
        await asyncio.shield(self._opening)
        await self._answered.wait()
        for said in self._said.decode(errors="surrogateescape").splitlines():
            if said.startswith("/") and said.endswith(f"/{self._name}"):
                return said
        raise OSError("the node has no folder to make a FIFO in")

    def release(self) -> None:
        """Let go of it: whoever reads it finds its end."""
        if self._channel is not None:
            with suppress(OSError):
                self._channel.write_eof()

    async def close(self) -> None:
        """Let go of it, and close the channel."""
        if self._opening is not None:
            await asyncio.wait([self._opening], timeout=OPENING)
            self._opening.cancel()
        self.release()
        if self._channel is not None:
            self._channel.close()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is None and not self._answered.is_set():
            self._said += data[: MOST_SAID - len(self._said)]
            if self._name.encode() + b"\n" in self._said or len(self._said) == MOST_SAID:
                self._answered.set()

    def exit_status_received(self, status: int) -> None:
        self._answered.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._answered.set()
