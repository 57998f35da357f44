"""Open a connection to a node: trust first, then everything else."""

import getpass
import os
from functools import cache

import asyncssh
from asyncssh.kex import get_kex_algs

from ..node import Node
from . import keys
from .dial import Dialer
from .identity import Client, identity
from .link import Link
from .refusal import explained

LOGIN_TIMEOUT = 30.0
"""Seconds for handshake and authentication."""

KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 14, 3
"""A node that leaves so many keepalives unanswered, so many seconds apart, is lost: when
the next one is due, and so within a minute of its last word."""

# Cheap and sound, dearest last; asyncssh's own order asks for RSA host keys first
# and may agree on a group exchange that takes half a second.
_KEY_EXCHANGES = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
)
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
)


async def connect(
    node: Node,
    *,
    key: bytes,
    host_key: str | None,
    accept_new: bool = False,
    through: Link | None = None,
    dialer: Dialer | None = None,
    certified_name: str | None = None,
) -> tuple[Link, str]:
    """Connect to `node` with the private key `key`; return the link and the proven host key.

    `accept_new` takes whatever key a host shows of which none is known; `through` is
    the connection to a bastion; `dialer` may have gone ahead; `certified_name` is what
    the host's certificate must be made out to, by default its address. Raises `Untrusted`
    if the host does not prove its identity, before anything of ours is sent to it;
    `Dropped` if it hung up before that; `MachineError` if this machine is to blame;
    `Unreachable` for the rest.
    """
    known = identity(host_key, node.name)
    login = keys.private_key(key)
    client = Client(take=accept_new and not known.is_known)
    dialer = dialer or Dialer(through)
    with explained(node, client, dialer, known):
        _name_user()
        connection = await asyncssh.connect(
            node.address or "",
            node.port,
            tunnel=dialer,
            client_factory=lambda: client,
            config=None,
            username=node.username,
            client_keys=[login],
            agent_path=None,
            preferred_auth="publickey",
            known_hosts=known.trusted,
            host_key_alias=certified_name,
            server_host_key_algs=known.algorithms,
            x509_trusted_certs=None,
            gss_host=None,
            kex_algs=key_exchanges(),
            encryption_algs=CIPHERS,
            compression_algs=None,
            login_timeout=LOGIN_TIMEOUT,
            keepalive_interval=KEEPALIVE_INTERVAL,
            keepalive_count_max=KEEPALIVE_COUNT,
            utf8_decode_errors="backslashreplace",
        )
    proven = connection.get_server_host_key()
    return Link(node, connection, through), keys.openssh_line(proven) if proven else ""


@cache
def key_exchanges() -> tuple[str, ...]:
    """Return those of our key exchanges that this installation can do; others would raise."""
    installed = {name.decode() for name in get_kex_algs()}
    return tuple(name for name in _KEY_EXCHANGES if name in installed)


def _name_user() -> None:
    """Name the user of this process, if it has no name: asyncssh insists, and makes no use of it.

    So it is in a container that runs under a number without an account.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.close(os.open(os.devnull, os.O_RDONLY))  # without a descriptor left, none has a name
        os.environ["LOGNAME"] = str(os.getuid())
