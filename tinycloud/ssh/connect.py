"""Open a connection to a node: trust first, then everything else."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh
from asyncssh.kex import get_kex_algs

from ..errors import Unreachable, Untrusted
from ..node import Node
from ..text import printable
from . import keys
from .dial import Dialer
from .link import Link

CONNECT_TIMEOUT = 10.0
"""Seconds for TCP to come up."""

LOGIN_TIMEOUT = 30.0
"""Seconds for handshake and authentication."""

KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 15, 3
"""A node that leaves so many keepalives unanswered, so many seconds apart, is lost."""

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
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
_LOCAL_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL)


class _Client(asyncssh.SSHClient):
    """Notes the key of a host that is not the one we know: asyncssh won't say."""

    presented: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.presented = key
        return False


async def connect(node: Node, *, key: bytes, host_key: str | None) -> tuple[Link, str]:
    """Connect to `node` with the private key `key`; return the link and the proven host key.

    Raises `Untrusted` if the host does not prove that it owns `host_key`, before
    anything of ours is sent to it, and `Unreachable` for every other failure.
    """
    if host_key is None:
        raise Untrusted(
            f"{node.name} can't prove its identity",
            cause="no host key is known for it",
            fix="use a driver that knows its nodes' host keys",
        )
    known = keys.host_key(host_key, node.name)
    login = keys.private_key(key)
    client = _Client()
    dialer = Dialer(CONNECT_TIMEOUT)
    with _explained(node, client, dialer, known):
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
            known_hosts=([known], [], []),
            server_host_key_algs=_host_key_algorithms(known),
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
    return Link(node, connection), keys.openssh_line(known)


def _host_key_algorithms(key: asyncssh.SSHKey) -> list[str]:
    name = key.get_algorithm()
    return list(_RSA_SIGNATURES) if name == "ssh-rsa" else [name]


def key_exchanges() -> list[str]:
    installed = {name.decode() for name in get_kex_algs()}
    return [name for name in _KEY_EXCHANGES if name in installed]


@contextmanager
def _explained(
    node: Node, client: _Client, dialer: Dialer, known: asyncssh.SSHKey
) -> Iterator[None]:
    """Say in our words, and so that nothing the server said can do harm, what went wrong."""
    try:
        yield
    except asyncssh.HostKeyNotVerifiable as error:
        raise _untrusted(node, client.presented, known) from error
    except asyncssh.KeyExchangeFailed as error:
        if "host key" in str(error).lower():
            raise _untrusted(node, None, known) from error
        raise _unreachable(node, printable(str(error)), "look at the node's sshd") from error
    except asyncssh.PermissionDenied as error:
        raise _unreachable(
            node,
            f"it refused our key for user '{node.username}'",
            "use the key and the user that the node was launched with",
        ) from error
    except (OSError, asyncssh.Error, asyncio.IncompleteReadError) as error:
        cause, transient = _cause(error, dialer)
        raise _unreachable(node, cause, f"look at it: {node.id}", transient=transient) from error


def _cause(error: Exception, dialer: Dialer) -> tuple[str, bool]:
    """Return what happened, and whether time alone may mend it."""
    if not dialer.connected:
        if isinstance(error, TimeoutError):
            return f"no answer within {CONNECT_TIMEOUT:g} s", True
        if isinstance(error, socket.gaierror):
            return "its name can't be resolved", True
        if isinstance(error, OSError) and error.errno in _LOCAL_ERRORS:
            return f"this machine: {error.strerror}", False
        return (error.strerror or str(error)) if isinstance(error, OSError) else str(error), True
    words = printable(dialer.heard.decode(errors="backslashreplace").strip())[:200]
    said = f", it said: {words}" if words else ""
    if not dialer.greeted:
        return f"its SSH server did not greet us{said}", True
    if isinstance(error, TimeoutError):
        return f"no login within {LOGIN_TIMEOUT:g} s", True
    reason = printable(str(error)) or type(error).__name__
    return f"{reason}{said}", isinstance(error, asyncssh.ConnectionLost | OSError)


def _untrusted(node: Node, presented: asyncssh.SSHKey | None, known: asyncssh.SSHKey) -> Untrusted:
    shown = presented.get_fingerprint() if presented else "no key of that kind"
    return Untrusted(
        f"{node.name} did not prove its identity",
        cause=f"{node.address} port {node.port} showed {shown}, not {known.get_fingerprint()}",
        fix="somebody may be listening in; if the machine was rebuilt, destroy and launch it again",
    )


def _unreachable(node: Node, cause: str, fix: str, *, transient: bool = False) -> Unreachable:
    where = f"{node.address} port {node.port}"
    return Unreachable(
        f"can't reach {node.name} at {where}", cause=cause, fix=fix, transient=transient
    )
