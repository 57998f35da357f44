"""The nodes of one group while they come up, as its driver lists them."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from ..errors import ProviderError, TinycloudError, Unreachable
from ..node import Node, Status, node_name

FIRST_INTERVAL, LONGEST_INTERVAL = 0.1, 2.0
"""Seconds between two looks at the provider."""


class Roster:
    """Looks at the provider once for all who wait, and not more often than is decent."""

    def __init__(
        self, tag: str, nodes: tuple[Node, ...], look: Callable[[], Awaitable[tuple[Node, ...]]]
    ) -> None:
        self._tag = tag
        self._look = look
        self._nodes = {node.index: node for node in nodes}
        self._looked = time.monotonic()
        self._interval = FIRST_INTERVAL
        self._turn = asyncio.Lock()

    async def addressed(self, index: int, deadline: float) -> Node:
        """Return the node once it runs and has an address, or raise why it never will."""
        while True:
            node = self.alive(index)
            if node.status is Status.RUNNING and node.address:
                return node
            if time.monotonic() > deadline:
                raise ProviderError(
                    f"{node.name} is still {node.status}",
                    cause="the time for the launch is over",
                    fix="look at the machine, or launch again with a longer timeout",
                )
            await self.refresh()

    def alive(self, index: int) -> Node:
        """Return the node as last seen, or raise if it is not, or no more, on its way."""
        node = self._nodes.get(index)
        if node is None or node.status in (Status.STOPPED, Status.TERMINATED):
            raise Unreachable(
                f"{node_name(self._tag, index)} did not come up",
                cause=f"its provider lists it as {node.status}" if node else "there is no machine",
                fix="launch again",
            )
        return node

    async def refresh(self) -> None:
        """Look at the provider again, unless somebody did while we waited for our turn."""
        asked = time.monotonic()
        async with self._turn:
            if self._looked > asked:
                return
            await asyncio.sleep(max(0.0, self._looked + self._interval - time.monotonic()))
            self._nodes = {node.index: node for node in await self._look()}
            self._looked = time.monotonic()
            self._interval = min(1.5 * self._interval, LONGEST_INTERVAL)


def as_error(error: Exception, what: str) -> TinycloudError:
    """Return a driver's exception as one of ours: other people's drivers raise what they like."""
    if isinstance(error, TinycloudError):
        return error
    return ProviderError(
        what, cause=f"{type(error).__name__}: {error}", fix="look at the driver's own words"
    )
