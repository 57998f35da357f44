"""How long nodes live: set again when they are started, and moved when somebody asks."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..driver import Group
from ..errors import InvalidInput, TinycloudError
from ..group import GroupSpec
from ..node import Node, Status
from ..result import Result, State
from ..ssh.connections import Connections
from .execution import check_reachable, state_of
from .foreign import asking
from .root import as_root

SET_LIFE = "set the time to live"
EXTEND_TIMEOUT = 60.0
"""Seconds that one node has to take note of its new deadline."""


async def armed(group: Group, spec: GroupSpec, again: Collection[Node]) -> str:
    """Note when the life of nodes ends that were started again; return what tells them so."""
    if not again:
        return ""
    async with asking(f"can't {SET_LIFE} of group '{group.tag}'"):
        return await group.driver.extend(spec, again, deadline(group.ttl))


def deadline(ttl: float | None) -> datetime | None:
    """Return when a life of `ttl` seconds ends that begins now."""
    if ttl is None:
        return None
    try:
        return (datetime.now(UTC) + timedelta(seconds=ttl)).replace(microsecond=0)
    except OverflowError as error:
        raise InvalidInput(
            f"nothing lives for {ttl:g} seconds", fix="give less, or say none"
        ) from error


def mortal(nodes: Iterable[Node], until: datetime | None) -> tuple[Node, ...]:
    """Return the running nodes that can live longer, until then.

    Raises `InvalidInput` if there is none, or if one of them would die sooner.
    """
    found = [n for n in nodes if n.status is Status.RUNNING and n.expires_at is not None]
    if not found:
        raise InvalidInput(
            "there is no life to extend",
            cause="no running node has a time to live",
            fix="launch or start with one",
        )
    for node in found:
        if until is not None and node.expires_at and until < node.expires_at:
            raise InvalidInput(
                f"{node.name} would live shorter, not longer",
                cause=f"it lives until {node.expires_at.astimezone():%Y-%m-%d %H:%M:%S} already",
                fix="give more time, counted from now",
            )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A new deadline, and what it takes to tell nodes of it; `scripts` are by group."""

    cluster: str
    connections: Connections
    key: bytes = field(repr=False)
    scripts: dict[str, str]

    async def on(self, node: Node) -> Result:
        """Tell the node; a failure is part of what is returned."""
        begun = time.monotonic()
        state, error = State.OK, None
        try:
            if script := self.scripts[node.tag]:
                check_reachable(node, self.cluster)
                connection = await self.connections.get(node, self.key)
                await as_root(connection, script, what=SET_LIFE, timeout=EXTEND_TIMEOUT)
        except InvalidInput:  # a key that is none
            raise
        except TinycloudError as problem:
            state, error = state_of(node, problem), str(problem)
        return Result(node=node, state=state, error=error, duration=time.monotonic() - begun)
