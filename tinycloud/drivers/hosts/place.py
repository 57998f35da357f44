"""Which host is which node of a cluster: decided with plain functions."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ...errors import InvalidInput
from ...group import GroupSpec
from ...host import Host

PORT = 22


class Use(StrEnum):
    """What a host is to its cluster: promised to it, one of its nodes, or one that rests."""

    RESERVED = "reserved"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One host's place in a cluster; `id` is made up when it gets it, and is gone with it."""

    tag: str
    index: int
    id: str
    host: Host
    use: Use

    @property
    def exists(self) -> bool:
        """Whether it is a node: one that is only promised is not yet."""
        return self.use is not Use.RESERVED


def machine(host: Host) -> tuple[str, int]:
    """Return what tells one machine from another, whoever logs in to it."""
    return host.address.lower(), host.port or PORT


def reserved(
    places: Sequence[Place], spec: GroupSpec, hosts: Collection[Host]
) -> tuple[Place, ...]:
    """Return the places once the group has `count` of them: the first hosts that are free.

    Raises `InvalidInput` if there are not enough hosts.
    """
    kept = [place for place in places if place.tag != spec.tag or place.exists]
    taken = {machine(place.host) for place in kept}
    free = [host for host in hosts if machine(host) not in taken]
    there = {place.index for place in kept if place.tag == spec.tag}
    missing = [index for index in range(spec.count) if index not in there]
    if len(missing) > len(free):
        raise _too_few(spec, len(missing), len(free), len(hosts))
    new = (
        Place(
            tag=spec.tag,
            index=index,
            id=f"host-{uuid.uuid4().hex[:12]}",
            host=host,
            use=Use.RESERVED,
        )
        for index, host in zip(missing, free, strict=False)
    )
    return (*kept, *new)


def _too_few(spec: GroupSpec, missing: int, free: int, hosts: int) -> InvalidInput:
    more = "" if missing == spec.count else " more"
    return InvalidInput(
        f"not enough hosts for group '{spec.tag}'",
        cause=f"it needs {missing}{more}, and {free} of the {hosts} are free",
        fix="name more hosts, or ask for fewer nodes",
    )


def used(
    places: Iterable[Place], tag: str, indices: Collection[int], use: Use
) -> tuple[Place, ...]:
    """Return the places, of which those of a group with these indices are used so."""
    return tuple(
        replace(place, use=use) if place.tag == tag and place.index in indices else place
        for place in places
    )


def without(
    places: Iterable[Place], tag: str, indices: Collection[int] | None = None
) -> tuple[Place, ...]:
    """Return the places but those of a group; but those with these indices, if they are given."""
    return tuple(
        place
        for place in places
        if place.tag != tag or (indices is not None and place.index not in indices)
    )


def nodes_of(places: Iterable[Place], tag: str) -> tuple[Place, ...]:
    """Return the places of a group's nodes, by index."""
    found = (place for place in places if place.tag == tag and place.exists)
    return tuple(sorted(found, key=lambda place: place.index))
