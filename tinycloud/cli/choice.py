"""Which nodes a command is for, where TAG and INDEX are not all there is to say of it."""

import random
from collections.abc import Collection

from ..cloud import Cloud
from ..errors import InvalidInput
from ..node import node_name
from ..nodeset import expanded, folded
from ..store import ClusterFolder
from . import failed
from .request import Request


def names(cloud: Cloud, request: Request) -> tuple[str, ...] | None:
    """Return the names of the nodes, or None if TAG and INDEX alone choose them."""
    if not (request.retry_failed or request.exclude or request.pick):
        return None
    every = _names(cloud)
    found = every
    if request.retry_failed:
        found = failed.again(cloud.name, request.tag, request.index)
    excluded = frozenset(expanded(request.exclude)) if request.exclude else frozenset()
    if unknown := sorted(excluded.difference(every)):
        raise InvalidInput(
            f"no node {folded(unknown)} to exclude", fix=f"name some of: {folded(every)}"
        )
    found = tuple(
        name
        for name in found
        if failed.is_chosen(name, request.tag, request.index) and name not in excluded
    )
    if not found:
        raise InvalidInput("no node is left", fix="exclude fewer, or choose others")
    return found if request.pick is None else _picked(found, request.pick)


def _names(cloud: Cloud) -> tuple[str, ...]:
    """Return the names of all nodes that should be there."""
    record = ClusterFolder(cloud.name).record()
    absent = {g.tag: g.absent for g in record.groups} if record else {}
    return tuple(
        node_name(group.tag, index)
        for group in cloud.groups
        for index in range(group.count)
        if index not in absent.get(group.tag, ())
    )


def _picked(found: Collection[str], count: int) -> tuple[str, ...]:
    """Return so many of them (all, if they are fewer) at random, in their order."""
    places = random.sample(range(len(found)), min(count, len(found)))
    taken = set(places)
    return tuple(name for place, name in enumerate(found) if place in taken)
