"""The end of a group, and what became of each of its nodes."""

from dataclasses import dataclass

from ..driver import Group
from ..errors import ResourcesRemain, TinycloudError
from ..group import GroupSpec
from ..result import Result, State
from .roster import as_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """What became of a group: of each node, and the names of all that remains."""

    results: tuple[Result, ...]
    remaining: tuple[str, ...] = ()
    error: TinycloudError | None = None


async def destroy_group(group: Group, spec: GroupSpec) -> Destroyed:
    """Destroy the group; a failure is part of what is returned."""
    try:
        nodes = await group.driver.list(spec)
    except Exception:
        nodes = ()  # what can't be listed may still be destroyed
    error, remaining = None, tuple[str, ...]()
    try:
        await group.driver.destroy(spec)
    except Exception as raised:
        error = as_error(raised, f"can't destroy group '{group.tag}'")
        remaining = await _remaining(group, spec, error)
    unknown = remaining == (_whole(group),)
    results = tuple(
        Result(node=node, state=State.FAILED, error=str(error))
        if unknown or node.name in remaining
        else Result(node=node, state=State.OK)
        for node in nodes
    )
    return Destroyed(results=results, remaining=remaining, error=error)


async def _remaining(group: Group, spec: GroupSpec, error: TinycloudError) -> tuple[str, ...]:
    """Return the names of what is left after `error`: at the worst, of the whole group."""
    if isinstance(error, ResourcesRemain) and error.remaining:
        return error.remaining
    try:
        return tuple(node.name for node in await group.driver.list(spec)) or (_whole(group),)
    except Exception:
        return (_whole(group),)


def _whole(group: Group) -> str:
    return f"group {group.tag}"
