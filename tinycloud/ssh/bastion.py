"""A machine in between: one connection to it, shared by all nodes behind it."""

from dataclasses import dataclass, field

from ..errors import TinycloudError, Unreachable, Untrusted
from ..host import Host
from ..node import Node, Status

PORT = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Bastion(Node):
    """A machine that is no node of the cluster, but proves itself and is logged in to as one."""

    @property
    def name(self) -> str:
        """What messages call it: `bastion ada@gate`."""
        port = None if self.port == PORT else self.port
        return f"bastion {Host(address=self.address or '', port=port, username=self.username)}"


@dataclass(frozen=True, slots=True)
class Hop:
    """The way over a bastion, and the private key that opens it."""

    bastion: Bastion
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Route:
    """How to get to a node: the private key to log in with, and a hop before that, or none."""

    key: bytes = field(repr=False)
    hop: Hop | None = None


def straight(node: Node, key: bytes) -> Route:
    """Return the route to a node that is reached from here, with the key that is meant for it."""
    return Route(key)


def bastion(host: Host, *, username: str) -> Bastion:
    """Return the bastion at `host`; `username` is for one that names no user."""
    port = host.port or PORT
    user = host.username or username
    return Bastion(
        tag="bastion",
        index=0,
        id=f"bastion {Host(address=host.address, port=port)}",
        status=Status.RUNNING,
        address=host.address,
        port=port,
        username=user,
    )


def behind(node: Node, hop: Hop, error: TinycloudError) -> TinycloudError:
    """Return what the failure of its bastion means for a node."""
    what = f"can't reach {node.name} via {hop.bastion.name}"
    cause = str(error).replace(hop.bastion.name, "that bastion")
    if isinstance(error, Untrusted):
        return Untrusted(what, cause=cause, fix=error.fix)
    return Unreachable(what, cause=cause, fix=error.fix, reason="bastion")
