"""Listen, prove who we are, and let in who may come in."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncssh

from .children import Children
from .machine import Machine
from .session import Session

LOGIN_TIMEOUT = 30
KEEPALIVE_INTERVAL = 30
KEEPALIVE_COUNT = 3
BACKLOG = 128


class _Owner(asyncssh.SSHServer):
    """Decides what a connected client may do."""

    def __init__(self, machine: Machine, children: Children) -> None:
        self._machine = machine
        self._children = children

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        """Look up the keys that may log in as this user; without any, none will do."""
        allowed = ""
        if username == self._machine.username:
            try:
                allowed = self._machine.authorized_keys.read_text()
            except (OSError, UnicodeDecodeError):
                allowed = ""
        self._connection.set_authorized_keys(_parsed(allowed))
        return True

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        return Session(self._machine, self._children)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        """Allow forwarding to wherever the user could connect from here."""
        return True


def _parsed(text: str) -> asyncssh.SSHAuthorizedKeys:
    """Return the keys of a file, of which one bad line must not spoil the others."""
    keys = asyncssh.SSHAuthorizedKeys()
    for line in text.splitlines():
        try:
            keys.load(line)
        except ValueError:
            continue
    return keys


class _Connection(asyncssh.SSHServerConnection):
    async def reload_config(self) -> None:
        """Do nothing: asyncssh would work out all options again, in a thread, at each login."""


@asynccontextmanager
async def serving(
    listening: socket.socket, machine: Machine, children: Children
) -> AsyncIterator[asyncio.Server]:
    """Serve SSH on a listening socket for as long as the block lasts.

    Leaving the block stops the listening; connections live on until the process ends.
    """
    options = _options(machine, children)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(loop, options), sock=listening, backlog=BACKLOG
    )
    try:
        yield server
    finally:
        server.close()


def _options(machine: Machine, children: Children) -> asyncssh.SSHServerConnectionOptions:
    """Return what the server offers: nothing slow, nothing weak, nothing but public keys."""
    known = {name.decode() for name in asyncssh.kex.get_kex_algs()}
    kex_algs = [name for name in _KEX if name in known]
    return asyncssh.SSHServerConnectionOptions(
        loop=asyncio.get_running_loop(),
        server_factory=lambda: _Owner(machine, children),
        server_host_keys=[asyncssh.import_private_key(machine.host_key)],
        kex_algs=kex_algs,
        encryption_algs=_ENCRYPTION,
        mac_algs=["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
        compression_algs=None,
        gss_host=None,  # asyncssh would ask the name service for our name
        x509_trusted_certs=None,
        host_based_auth=False,
        kbdint_auth=False,
        password_auth=False,
        agent_forwarding=False,
        line_editor=False,
        encoding=None,
        login_timeout=LOGIN_TIMEOUT,
        keepalive_interval=KEEPALIVE_INTERVAL,
        keepalive_count_max=KEEPALIVE_COUNT,
    )


_KEX = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "mlkem768x25519-sha256",  # last, but a client's order counts; ssh 10 warns without it
)
_ENCRYPTION = [
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
]
