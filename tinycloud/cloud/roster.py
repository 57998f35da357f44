"""The nodes of one group while they come up, as its driver lists them."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from ..errors import ProviderError, Unreachable
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

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes as last seen, by index."""
        return tuple(node for _, node in sorted(self._nodes.items()))

    async def addressed(self, index: int, deadline: float) -> Node:
        """Return the node once it has an address, or raise why it never will.

        Some providers tell the address before they call a machine running: SSH may answer then.
        """
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                while not (node := self.alive(index)).address:
                    await self.refresh()
        except TimeoutError as error:
            raise ProviderError(
                f"{node_name(self._tag, index)} is still {self.alive(index).status}",
                cause="the time for the launch is over",
                fix="look at the machine, or launch again with a longer timeout",
            ) from error
        return node

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
