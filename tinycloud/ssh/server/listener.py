"""Listen, prove who we are, and let in who may come in."""

import asyncio
import os
import socket
import weakref
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import asyncssh
from asyncssh.kex import get_kex_algs
from asyncssh.packet import SSHPacket

from .children import Children
from .machine import Machine
from .session import Session

LOGIN_TIMEOUT = 30
KEEPALIVE_INTERVAL = 30
KEEPALIVE_COUNT = 3
BACKLOG = 128
GOODBYE = 0.5


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


class _Channel(asyncssh.SSHServerChannel[bytes]):
    def _process_exec_request(self, packet: SSHPacket) -> bool:
        """Take a command as it is: asyncssh refuses one that is not UTF-8."""
        command = packet.get_string()
        packet.check_end()
        return self._start_session(command=os.fsdecode(command))


class _Connection(asyncssh.SSHServerConnection):
    async def reload_config(self) -> None:
        """Do nothing: asyncssh would work out all options again, in a thread, at each login."""

    def create_server_channel(
        self,
        encoding: str | None = "",
        errors: str = "",
        window: int = 0,
        max_pktsize: int = 0,
    ) -> asyncssh.SSHServerChannel[bytes]:
        """Return a channel of ours, of bytes."""
        channel = super().create_server_channel(None, errors, window, max_pktsize)
        channel.__class__ = _Channel
        return channel


@asynccontextmanager
async def serving(
    listening: socket.socket, machine: Machine, children: Children
) -> AsyncIterator[asyncio.Server]:
    """Serve SSH on a listening socket for as long as the block lasts."""
    loop = asyncio.get_running_loop()
    options = _options(machine, children)
    connections: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def connection() -> _Connection:
        made = _Connection(loop, options)
        connections.add(made)
        return made

    server = await loop.create_server(connection, sock=listening, backlog=BACKLOG)
    try:
        yield server
    finally:
        server.close()
        await _say_goodbye(connections)


async def _say_goodbye(connections: Collection[_Connection]) -> None:
    """Tell the clients how their commands ended, and disconnect."""
    open_ones = [connection for connection in connections if not connection.is_closed()]
    if open_ones:
        await asyncio.sleep(0)  # what has just ended is reported first
        for connection in open_ones:
            connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await asyncio.gather(*(connection.wait_closed() for connection in open_ones))


def _options(machine: Machine, children: Children) -> asyncssh.SSHServerConnectionOptions:
    """Return what the server offers: nothing slow, nothing weak, nothing but public keys."""
    known = {name.decode() for name in get_kex_algs()}
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
    "aes128-ctr",  # where a client knows no better; `ssh` would take chacha20 first, half as fast
    "aes256-ctr",
]
