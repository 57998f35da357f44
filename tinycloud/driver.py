"""The contract of drivers, of both kinds, and the group that names one."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from .errors import InvalidInput, ResourcesRemain
from .group import GroupSpec, check_group
from .host import parsed_host
from .node import Node, Status


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node may not be reached, and what helps; `shared` if so may all of its group."""

    cause: str
    fix: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A cluster, or what is left of one, as its provider knows it.

    `generation` is the cluster's own id, `where` the region, `resources` the ids of all
    that there is of it. `created_at` and `expires_at` are None where they are not known.
    """

    cluster: str
    generation: str
    where: str
    resources: tuple[str, ...]
    created_at: datetime | None = None
    expires_at: datetime | None = None


class _Opened:
    """What both kinds of driver share: a block that opens and closes their clients.

    One object may be in several blocks at once, of several tasks: its clients stay
    open until the last of them is left.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class Driver(_Opened, ABC):
    """Where machines come from: six coroutines, each told about one group.

    A driver keeps nothing between calls but open clients, so that one object can
    serve any number of groups of any number of clusters at once, and another
    object, made alike, finds all that the first one made. What it raises on purpose
    is a `TinycloudError`; `ProviderError` where the provider refused. Each call may
    be cancelled: what it made until then must be found by `list`, or end by itself.
    """

    name: str = ""
    """The entry point that finds this driver again; empty if only a program knows it."""

    makes_machines: bool = True
    """Whether the machines are its own work. To others the user's own key logs in, and
    the host keys that it lists are the last word: only where it lists none is one pinned."""

    plants_host_keys: bool = False
    """Whether a new machine gets its host key from us, in a way that others may read. Then
    it makes its own at the first login, and `Node.host_key` holds the planted key and,
    after `@cert-authority`, the first of the keys that it was made to accept."""

    @property
    def options(self) -> Mapping[str, object]:
        """The keyword arguments that make this driver again, as JSON can hold them."""
        return {}

    @abstractmethod
    async def prepare(self, spec: GroupSpec) -> None:
        """Make what must exist before nodes can start; done twice, it is done once."""

    @abstractmethod
    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Make the group have `count` nodes and return what `list` would.

        Running nodes are left alone, stopped ones started, missing indices filled,
        surplus kept. May return while nodes are still `pending`.
        """

    @abstractmethod
    async def stop(self, spec: GroupSpec) -> None:
        """Stop the nodes; they keep index, disk and identity."""

    @abstractmethod
    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        """Return the status of every node, in the order of `list`."""

    @abstractmethod
    async def destroy(self, spec: GroupSpec) -> None:
        """End the nodes and all that was made for them.

        Done twice, it is done once. Raises `ResourcesRemain`, naming what remains.
        """

    @abstractmethod
    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Return the nodes that exist (not the terminated), by index.

        They are found by `cluster` and `tag` alone: `count` plays no part.
        """

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        """Destroy only these nodes: the undo of a launch that failed half-way.

        A driver need not write this: then a group that holds no other nodes is
        destroyed, and else the nodes are named as remaining.
        """
        nodes = await self.list(spec)
        doomed = [node for node in nodes if node.index in indices]
        if len(doomed) == len(nodes):
            await self.destroy(spec)
        elif doomed:
            raise ResourcesRemain(
                f"nodes remain in group '{spec.tag}'",
                cause="their driver can only destroy the whole group",
                fix=f"tinycloud destroy {spec.cluster}",
                remaining=tuple(node.name for node in doomed),
            )

    async def extend(
        self, spec: GroupSpec, nodes: Collection[Node], deadline: datetime | None
    ) -> str:
        """Note that these nodes live until `deadline`, or for ever; return what tells them so.

        That is a shell script, which is run as root on each of them unless it is empty. Of
        a node whose life a driver can move so, `Node.expires_at` says when it ends. A
        driver need not write this: then lives can't be moved.
        """
        raise InvalidInput(
            f"driver '{self.name}' can't change how long nodes live",
            fix="destroy the cluster, and launch it with another time to live",
        )

    async def preview(self, specs: Collection[GroupSpec]) -> Mapping[str, str]:
        """Return what else there is to say of launching these groups, and touch nothing.

        Each spec has as many nodes as would be made. Names and words are for people.
        """
        return {}

    async def allow(self, spec: GroupSpec, networks: Collection[str]) -> tuple[str, ...]:
        """Let this machine connect to the nodes, from where it is now, and these networks.

        They take the place of those before; all that may connect is returned. A driver
        need not write this: then the provider has no rules about who may.
        """
        raise InvalidInput(
            f"driver '{self.name}' has no rules about who may connect",
            fix="see whether a firewall is in the way",
        )

    async def explain(self, spec: GroupSpec, node: Node) -> tuple[Reason, ...]:
        """Return why this node may not be reached, the likeliest first; nothing if nobody knows."""
        return ()

    async def regions(self) -> tuple[str, ...]:
        """Return the regions that the option `region` can name, if there is such a thing."""
        return ()

    async def strays(self) -> tuple[Stray, ...]:
        """Return all clusters that the provider knows of, and what is left of any.

        A driver need not write this: then what is recorded is all that is known.
        """
        raise InvalidInput(
            f"driver '{self.name}' can't look for clusters that nobody remembers",
            fix="name another one (--driver)",
        )

    async def reap(self, stray: Stray) -> None:
        """Destroy what `strays` found of a cluster; raise `ResourcesRemain` if some of it stays."""
        raise InvalidInput(f"driver '{self.name}' can't destroy strays", fix="name another one")


class NodeDriver(_Opened, ABC):
    """Controls one machine: the six coroutines of a driver, about that machine alone.

    A machine that does not exist (not yet, or no more) has the status `terminated`.
    The machine's truth is with its provider: an object lives for one call or two.
    """

    @abstractmethod
    async def prepare(self) -> None:
        """Make what must exist before the node can start."""

    @abstractmethod
    async def start(self) -> Node:
        """Make the node run, and return it; it may still be `pending`."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop the node; it keeps disk and identity."""

    @abstractmethod
    async def status(self) -> Status:
        """Return the node's status."""

    @abstractmethod
    async def destroy(self) -> None:
        """End the node and all that was made for it; done twice, it is done once."""

    @abstractmethod
    async def list(self) -> Node:
        """Return the node as it is now."""


@dataclass(frozen=True, slots=True)
class Group:
    """What to launch: a name (`tag`), a size (`count`), and the driver to ask.

    `setup` is a shell script that runs once on each new node, over SSH; `ttl` is
    the time to live of new nodes in seconds, for drivers that can keep it. `via` is
    the bastion (`user@host:port`) over which the nodes are reached.
    """

    tag: str
    count: int
    driver: Driver
    setup: str | None = None
    ttl: float | None = None
    via: str | None = None

    def __post_init__(self) -> None:
        check_group(self.tag, self.count, self.ttl)
        if self.via is not None:
            parsed_host(self.via)
