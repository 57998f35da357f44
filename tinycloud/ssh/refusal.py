"""Why a node can't be reached: in our words, so that nothing a server says can do harm."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh

from ..errors import MachineError, TinycloudError, Unreachable
from ..node import Node
from ..text import printable
from .dial import Dialer, Dropped
from .ending import LONGEST_CAUSE, quoted
from .identity import Client, Identity, unproven

_LOCAL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)

# What asyncssh says when a host has no key of the kind that we know, or shows the right
# key and can't sign with it.
_UNPROVEN = ("No matching host key algorithm", "Key exchange hash mismatch")


@contextmanager
def explained(node: Node, client: Client, dialer: Dialer, known: Identity) -> Iterator[None]:
    """Raise `Untrusted`, `MachineError`, `Dropped` or `Unreachable` for what goes wrong."""
    try:
        yield
    except asyncssh.HostKeyNotVerifiable as error:
        raise unproven(node, known, client, error) from error
    except asyncssh.KeyExchangeFailed as error:
        if str(error).startswith(_UNPROVEN):
            raise unproven(node, known, client, error) from error
        raise _unreachable(node, quoted(error), "look at the algorithms of its sshd") from error
    except asyncssh.PermissionDenied as error:
        raise _unreachable(
            node,
            f"it refused our key for user '{printable(node.username)}'",
            "use the key and the user that the node was launched with",
            reason="auth",
        ) from error
    except (OSError, UnicodeError, asyncssh.Error) as error:
        explain = _after_greeting if dialer.greeted else _before_greeting
        raise explain(node, dialer, error) from error


def _before_greeting(node: Node, dialer: Dialer, error: Exception) -> TinycloudError:
    if not dialer.connected:
        return _unconnected(node, dialer, error)
    if dialer.silent:
        cause = f"its SSH server did not greet us within {dialer.timeout:g} s"
        return _unreachable(node, cause, _look_at(node), transient=True, reason="no greeting")
    said = printable(dialer.heard.decode(errors="backslashreplace").strip())[:LONGEST_CAUSE]
    return Dropped(
        _what(node),
        cause="it hung up before its SSH server greeted us" + (f", saying: {said}" if said else ""),
        fix="try again later, or raise MaxStartups of its sshd" if said else _look_at(node),
        said=said,
    )


def _unconnected(node: Node, dialer: Dialer, error: Exception) -> TinycloudError:
    if isinstance(error, OSError) and error.errno in _LOCAL:
        return MachineError(
            _what(node),
            cause=f"this machine: {os.strerror(error.errno).lower()}",
            fix="raise its limits (ulimit -n), or reach fewer nodes at once",
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return _unreachable(
            node,
            f"its bastion could not open a way to it: {quoted(error)}",
            f"see that the bastion forwards (AllowTcpForwarding) and gets to port {node.port}",
            transient=True,
            reason="bastion",
        )
    reason = "unreachable"
    if isinstance(error, TimeoutError):
        cause, reason = f"no answer within {dialer.timeout:g} s", "no answer"
    elif isinstance(error, socket.gaierror | UnicodeError):
        cause, reason = "its name can't be resolved", "dns"
    elif isinstance(error, OSError) and error.errno:
        cause = os.strerror(error.errno).lower()  # asyncio's own words are about itself
        reason = "refused" if error.errno == errno.ECONNREFUSED else reason
    else:
        cause = quoted(error)
    fix = f"see that it runs, and lets port {node.port} in"
    return _unreachable(node, cause, fix, transient=True, reason=reason)


def _after_greeting(node: Node, dialer: Dialer, error: Exception) -> TinycloudError:
    lost = isinstance(error, OSError | asyncssh.ConnectionLost)
    return _unreachable(
        node, f"no login: {quoted(error)}", "look at the log of its sshd", transient=lost
    )


def _look_at(node: Node) -> str:
    return f"see what listens at {node.address} port {node.port}"


def _what(node: Node) -> str:
    return f"can't reach {node.name} at {node.address} port {node.port}"


def _unreachable(
    node: Node, cause: str, fix: str, *, transient: bool = False, reason: str = "unreachable"
) -> Unreachable:
    return Unreachable(_what(node), cause=cause, fix=fix, transient=transient, reason=reason)
