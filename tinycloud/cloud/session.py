"""What is open while verbs run: the drivers' clients, and warm connections."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from ..driver import Group
from ..node import Node
from ..ssh.connections import Connections
from ..store import ClusterFolder


class Session:
    """The open drivers and connections of one cluster."""

    def __init__(self, groups: tuple[Group, ...], folder: ClusterFolder) -> None:
        self._drivers = {id(group.driver): group.driver for group in groups}
        self._folder = folder
        self._stack = AsyncExitStack()
        self.connections = Connections(pinned=self._pinned, proven=self._proven)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for driver in self._drivers.values():
                await stack.enter_async_context(driver)
            await stack.enter_async_context(self.connections)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    def _pinned(self, node: Node) -> str | None:
        """Return the key that the node must prove: the pinned one; for a new node its driver's."""
        return self._folder.pinned(node.id) or node.host_key

    def _proven(self, node: Node, host_key: str) -> None:
        if self._folder.exists() and self._folder.pinned(node.id) is None:
            self._folder.pin(node.id, host_key)
