"""What to launch in which call: plain functions of what is wanted and where it may be."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from .tags import LONGEST, packed

LARGEST = 500
"""Instances in one call: EC2 advises against more."""

ATTEMPTS = 25
"""Launches of the same nodes in the same place, each of which has ended, that are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A place for instances: a subnet is in one zone."""

    id: str
    zone: str
    vpc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where instances may come to be, and of which type."""

    subnet: Subnet
    type: str
    spot: bool = False

    def __str__(self) -> str:
        return f"{'spot ' if self.spot else ''}{self.type} in {self.subnet.zone}"


def places(
    types: Iterable[str],
    subnets: Collection[Subnet],
    *,
    spot: bool,
    fallback: bool,
    first: Iterable[str] = (),
) -> tuple[Place, ...]:
    """Return where to try, in this order: all zones for one type, then the next type.

    With `fallback` all that is done once more without spot. The zones in `first` come
    before others, so that a cluster keeps together.
    """
    liked = list(dict.fromkeys(first))
    ordered = sorted(
        subnets,
        key=lambda s: (liked.index(s.zone) if s.zone in liked else len(liked), s.zone, s.id),
    )
    markets = (True, False) if spot and fallback else (spot,)
    kinds = tuple(types)
    return tuple(
        Place(subnet=subnet, type=kind, spot=market)
        for market in markets
        for kind in kinds
        for subnet in ordered
    )


def split(indices: Collection[int]) -> Iterator[tuple[int, ...]]:
    """Yield the indices in batches that one call takes, and that one tag can name."""
    batch: tuple[int, ...] = ()
    for index in sorted(indices):
        longer = (*batch, index)
        if len(longer) > LARGEST or len(packed(longer)) > LONGEST:
            yield batch
            longer = (index,)
        batch = longer
    if batch:
        yield batch


def missing(count: int, there: Iterable[int]) -> tuple[int, ...]:
    """Return the indices below `count` that no instance has."""
    found = set(there)
    return tuple(index for index in range(count) if index not in found)


def token(
    generation: str, tag: str, indices: Collection[int], place: Place, attempt: int = 0
) -> str:
    """Return what makes EC2 launch these nodes there once, however often it is asked.

    The same token in another zone would launch again, so the zone is part of it; 64
    characters are what EC2 takes.
    """
    subnet = place.subnet
    parts = [generation, tag, packed(indices), subnet.zone, subnet.id, place.type, place.spot]
    return hashlib.sha256(json.dumps([*parts, attempt]).encode()).hexdigest()


def derived_generation(cluster: str) -> str:
    """Return the id of a cluster of which nothing is recorded: the same each time."""
    return hashlib.sha256(f"tinycloud {cluster}".encode()).hexdigest()[:32]
