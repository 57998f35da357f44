"""The driver of machines that exist already."""

import asyncio
import getpass
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ...driver import Driver
from ...errors import InvalidInput
from ...group import GroupSpec
from ...host import Host, parsed_host
from ...node import Node, Status
from ...nodeset import expanded
from ...ssh.known_hosts import read_known_hosts
from .place import PORT, Place, Use, machine, nodes_of, reserved, used, without
from .register import Register


class Hosts(Driver):
    """Takes machines that are there, in the order named, and makes nodes of them.

    `addresses` are sets such as `10.0.0.[1-8]` or `pi@n[01-12]:2222`, or many of them.
    `username` and `port` are for those that name none; without `username` it is the
    user who runs this. The hosts' keys are those in OpenSSH's known hosts, or in the
    file `known_hosts`. Nothing is ever done to a host but what is asked of its node:
    `stop` and `destroy` only forget it.
    """

    name = "hosts"
    makes_machines = False

    def __init__(
        self,
        addresses: str | Iterable[str],
        *,
        username: str | None = None,
        port: int = PORT,
        known_hosts: str | Path | None = None,
    ) -> None:
        self.addresses = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        self.username = username
        self.port = port
        self.known_hosts = None if known_hosts is None else Path(known_hosts).absolute()
        self.hosts = _hosts(self.addresses, port)

    def __repr__(self) -> str:
        return f"Hosts({', '.join(map(repr, self.addresses))})"

    @property
    def options(self) -> Mapping[str, object]:
        """The keyword arguments that make this driver again."""
        options: dict[str, object] = {"addresses": list(self.addresses)}
        if self.username is not None:
            options["username"] = self.username
        if self.port != PORT:
            options["port"] = self.port
        if self.known_hosts is not None:
            options["known_hosts"] = str(self.known_hosts)
        return options

    async def prepare(self, spec: GroupSpec) -> None:
        """Promise hosts to the group: the first that are free. They are no nodes yet."""
        read_known_hosts(self.known_hosts)  # if it can't be read, nothing else is done
        Register(spec.cluster).change(lambda places: reserved(places, spec, self.hosts))

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Make the group have `count` nodes; whether they answer is for others to find out."""

        def started(places: tuple[Place, ...]) -> tuple[Place, ...]:
            wanted = range(spec.count)
            return used(reserved(places, spec, self.hosts), spec.tag, wanted, Use.RUNNING)

        Register(spec.cluster).change(started)
        return await self.list(spec)

    async def stop(self, spec: GroupSpec) -> None:
        """Take note that the nodes rest; nothing is done to the hosts."""
        await self._if_any(spec, lambda places: _stopped(places, spec.tag))

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        """Return which nodes rest; whether the others answer is not asked."""
        return tuple(_STATUS[place.use] for place in self._nodes(spec))

    async def destroy(self, spec: GroupSpec) -> None:
        """Forget the nodes; nothing is done to the hosts."""
        await self._if_any(spec, lambda places: without(places, spec.tag))

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        """Forget only these nodes."""
        await self._if_any(spec, lambda places: without(places, spec.tag, indices))

    async def _if_any(
        self, spec: GroupSpec, change: Callable[[tuple[Place, ...]], tuple[Place, ...]]
    ) -> None:
        """Change the places, where there are any: nothing is made for the others."""
        register = Register(spec.cluster)
        if register.places():
            register.change(change)

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Return the nodes, with what the user's known hosts tell of them."""
        places = self._nodes(spec)
        if not places:
            return ()
        # In a thread: where names are hashed, each has to be tried on each line.
        return await asyncio.to_thread(self._with_keys, places)

    def _nodes(self, spec: GroupSpec) -> tuple[Place, ...]:
        return nodes_of(Register(spec.cluster).places(), spec.tag)

    def _with_keys(self, places: tuple[Place, ...]) -> tuple[Node, ...]:
        known = read_known_hosts(self.known_hosts)
        named = {machine(host): host for host in self.hosts}
        return tuple(
            replace(node, host_key=known.host_key(place.host.address, node.port))
            for place in places
            for node in [self._node(place, named.get(machine(place.host), place.host))]
        )

    def _node(self, place: Place, host: Host) -> Node:
        return Node(
            tag=place.tag,
            index=place.index,
            id=place.id,
            status=_STATUS[place.use],
            address=host.address,
            port=host.port or PORT,
            username=host.username or self.username or getpass.getuser(),
        )


_STATUS = {Use.RUNNING: Status.RUNNING, Use.STOPPED: Status.STOPPED}


def _stopped(places: tuple[Place, ...], tag: str) -> tuple[Place, ...]:
    indices = [place.index for place in nodes_of(places, tag)]
    return used(places, tag, indices, Use.STOPPED)


def _hosts(addresses: Iterable[str], port: int) -> tuple[Host, ...]:
    """Return the machines that these sets name, each once, in their order."""
    if not 0 < port < 1 << 16:
        raise InvalidInput(f"{port} is not a port", fix="give one from 1 to 65535")
    found: dict[tuple[str, int], Host] = {}
    for name in (name for text in addresses for name in expanded(text)):
        host = parsed_host(name)
        host = replace(host, port=host.port or port)
        found.setdefault(machine(host), host)
    if not found:
        raise InvalidInput("there are no hosts", fix="name some, such as 10.0.0.[1-8]")
    return tuple(found.values())
