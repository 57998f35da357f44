"""What a host must prove, and what to say when it does not."""

from dataclasses import dataclass

import asyncssh

from ..errors import Untrusted
from ..node import Node
from ..text import printable
from . import keys
from .known_hosts import AUTHORITY, REVOKED

_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
# What is asked of any host, the cheapest first.
_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    *_RSA_SIGNATURES,
)
_CERTIFICATE = "-cert-v01@openssh.com"


@dataclass(frozen=True, slots=True)
class Known:
    """A key that is known of a host, and the words that follow it: where it is written down."""

    key: asyncssh.SSHKey
    source: str

    def __str__(self) -> str:
        written = f" of {printable(self.source)}" if self.source else ""
        return f"{self.key.get_fingerprint()}{written}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Any of these keys, or a certificate by one of these authorities; no revoked key."""

    keys: tuple[Known, ...]
    authorities: tuple[Known, ...]
    revoked: tuple[Known, ...]

    @property
    def is_known(self) -> bool:
        """Whether there is anything that the host can prove itself by."""
        return bool(self.keys or self.authorities)

    @property
    def trusted(self) -> tuple[list[asyncssh.SSHKey], ...]:
        """What asyncssh is to trust: keys, authorities, and what it is not to."""
        return tuple([k.key for k in some] for some in (self.keys, self.authorities, self.revoked))

    @property
    def algorithms(self) -> list[str]:
        """The kinds of proof to ask for: first those that can hold.

        The others are asked for too, so that what a host shows instead can be named.
        """
        certified = [f"{kind}{_CERTIFICATE}" for kind in _KINDS] if self.authorities else []
        known = [name for known in self.keys for name in _signatures(known.key)]
        return list(dict.fromkeys([*certified, *known, *_KINDS]))


def _signatures(key: asyncssh.SSHKey) -> tuple[str, ...]:
    name = key.get_algorithm()
    return _RSA_SIGNATURES if name == "ssh-rsa" else (name,)


def identity(host_key: str | None, node_name: str) -> Identity:
    """Return what `host_key`, as `Node.host_key` has it, tells of a host.

    Kinds of keys that we can't use are passed over, as long as others are left.
    Raises `Untrusted` if there were keys, and none of them is usable.
    """
    found: dict[str, list[Known]] = {"": [], AUTHORITY: [], REVOKED: []}
    damaged: Untrusted | None = None
    for line in (host_key or "").splitlines():
        first, _, rest = line.partition(" ")
        marker, text = (first, rest) if first in (AUTHORITY, REVOKED) else ("", line)
        try:
            key = keys.host_key(" ".join(text.split()[:2]), node_name)
        except Untrusted as error:
            damaged = error
            continue
        found[marker].append(Known(key, " ".join(text.split()[2:])))
    if damaged and not any(found.values()):
        raise damaged
    return Identity(*(tuple(known) for known in found.values()))


class Client(asyncssh.SSHClient):
    """Takes one key that is not known, if it may; notes the key of any other host."""

    def __init__(self, *, take: bool) -> None:
        self._take = take
        self.presented: asyncssh.SSHKey | None = None
        self.authority: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        is_first, self.presented = self.presented in (None, key), key
        return self._take and is_first

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.authority = key
        return False


def unproven(node: Node, known: Identity, client: Client, error: asyncssh.Error) -> Untrusted:
    """Return the error for a host that did not prove itself, in our words."""
    where = f"{node.address} port {node.port}"
    if str(error).startswith(("Host key is revoked", "Host CA key is revoked")):
        return Untrusted(
            f"{node.name} showed a revoked host key",
            cause=f"{where}; revoked: {_all(known.revoked)}",
            fix="do not use this machine before whoever revoked its key says why",
        )
    if not known.is_known:
        return _unknown(node, where, client.presented)
    return Untrusted(
        f"{node.name} did not prove its identity",
        cause=f"{where} showed {_shown(client, error)}; known: "
        f"{_all((*known.keys, *known.authorities))}",
        fix=_remedy(known),
    )


def _unknown(node: Node, where: str, shown: asyncssh.SSHKey | None) -> Untrusted:
    if shown is None:
        return Untrusted(
            f"the host key of {node.name} is not known",
            cause=f"{where} has none of a kind that we take: {', '.join(_KINDS)}",
            fix="give it an ed25519 host key (ssh-keygen -A)",
        )
    return Untrusted(
        f"the host key of {node.name} is not known",
        cause=f"{where} showed {_named(shown)}",
        fix="compare that with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub "
        "there); if it is the same, launch with --accept-new",
    )


def _shown(client: Client, error: asyncssh.Error) -> str:
    """Return what a host showed instead of what it had to."""
    if client.presented is not None:
        return _named(client.presented)
    if client.authority is not None:
        return f"a certificate by {_named(client.authority)}"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):  # it is ours, and does not hold
        return f"a certificate that can't be used: {printable(str(error))}"
    return "no key of a kind that we take"


def _remedy(known: Identity) -> str:
    sources = [known.source for known in (*known.keys, *known.authorities) if known.source]
    if sources:
        return (
            "somebody may be listening in: compare fingerprints on the machine itself, and only "
            f"if its key is a new one, write that in place of {printable(sources[0])}"
        )
    if known.authorities and not known.keys:
        return (
            "launch the cluster again, if that never ended well or did not wait for the nodes: "
            "it completes them; otherwise somebody may be listening in"
        )
    return "somebody may be listening in; if the machine was rebuilt, destroy and launch it again"


def _all(known: tuple[Known, ...]) -> str:
    return ", ".join(map(str, known))


def _named(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"
