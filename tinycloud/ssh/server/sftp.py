"""File transfer: asyncssh's SFTP server, at home in the node's home folder."""

import os
from typing import cast

import asyncssh
from asyncssh.channel import SSHChannel

from .machine import Machine


class Files(asyncssh.SFTPServer):
    """An SFTP server that sees all that the user sees; relative paths begin at home."""

    def __init__(self, channel: SSHChannel[bytes], machine: Machine) -> None:
        super().__init__(cast(asyncssh.SSHServerChannel[bytes], channel))
        self._home = os.fsencode(machine.home)

    def map_path(self, path: bytes) -> bytes:
        """Return the file that the client means."""
        return os.path.join(self._home, path)

    def exit(self) -> None:
        """Report success: Debian's `scp` takes a missing exit status for a failure."""
        self.channel.exit(0)
