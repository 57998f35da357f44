"""The end of a group, and what became of each of its nodes."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..driver import Group
from ..errors import ResourcesRemain, TinycloudError
from ..group import GroupSpec
from ..node import Node
from ..result import Result, State
from .foreign import as_error

LOOK_TIMEOUT = 60.0
"""Seconds that a driver has to say what is left after a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """What became of a group: of each node, and the names of all that remains."""

    results: tuple[Result, ...]
    remaining: tuple[str, ...] = ()
    error: TinycloudError | None = None


async def destroy_group(group: Group, spec: GroupSpec) -> Destroyed:
    """Destroy the group; a failure is part of what is returned."""
    nodes, remaining = tuple[Node, ...](), tuple[str, ...]()
    error: TinycloudError | None = None
    try:
        async with group.driver:
            nodes = await _listed_if_possible(group, spec)
            await group.driver.destroy(spec)
    except Exception as raised:
        error = as_error(raised, f"can't destroy group '{group.tag}'")
        remaining = await what_remains(group, spec, error, lambda nodes: nodes)
    gone = surely_gone(nodes, remaining)
    results = tuple(
        Result(node=node, state=State.OK)
        if node in gone
        else Result(node=node, state=State.FAILED, error=str(error))
        for node in nodes
    )
    return Destroyed(results=results, remaining=remaining, error=error)


async def _listed_if_possible(group: Group, spec: GroupSpec) -> tuple[Node, ...]:
    try:
        return await group.driver.list(spec)
    except Exception:  # what can't be listed may still be destroyed
        return ()


async def what_remains(
    group: Group,
    spec: GroupSpec,
    error: Exception,
    concerned: Callable[[tuple[Node, ...]], tuple[Node, ...]],
) -> tuple[str, ...]:
    """Return the names of what is left after `error`: at the worst, of the whole group.

    Of the nodes that exist still, `concerned` returns those that should not.
    """
    if isinstance(error, ResourcesRemain) and error.remaining:
        return error.remaining
    nodes: tuple[Node, ...] = ()
    try:
        async with asyncio.timeout(LOOK_TIMEOUT), group.driver:
            nodes = concerned(await group.driver.list(spec))
    except Exception:  # unknown is never gone
        nodes = ()
    return tuple(node.name for node in nodes) or (f"group {group.tag}",)


def surely_gone(nodes: Collection[Node], remaining: Collection[str]) -> tuple[Node, ...]:
    """Return those of the nodes that are gone, where `remaining` names what is left of them.

    Something that is no node may be left of any of them: then none is sure to be gone.
    """
    names = {node.name for node in nodes}
    return tuple(n for n in nodes if names.issuperset(remaining) and n.name not in remaining)
