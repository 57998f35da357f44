"""What is open while verbs run: the drivers' clients, and warm connections."""

import logging
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from ..driver import Driver, Group
from ..fanout import to_the_end
from ..node import Node
from ..ssh.connections import Connections
from ..store import ClusterFolder
from .foreign import as_error, asking

_log = logging.getLogger(__name__)


class Session:
    """The open drivers and connections of one cluster.

    Once it began to close, it closes whole: a cancellation waits until it has.
    """

    def __init__(self, groups: tuple[Group, ...], folder: ClusterFolder) -> None:
        self._drivers = tuple({id(group.driver): group.driver for group in groups}.values())
        self._folder = folder
        self._stack = AsyncExitStack()
        self.connections = Connections(pinned=self._pinned, proven=self._proven)

    async def __aenter__(self) -> Self:
        try:
            for driver in self._drivers:
                async with asking(f"can't open driver '{_called(driver)}'"):
                    await self._stack.enter_async_context(driver)
            await self._stack.enter_async_context(self.connections)
        except BaseException as error:
            await self._close(error)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close(error)

    async def _close(self, error: BaseException | None) -> None:
        """Close all; what goes wrong with that is of no interest after an `error`."""
        try:
            await to_the_end(self._stack.aclose())
        except Exception as problem:
            if error is None:
                raise as_error(problem, "can't close a driver") from problem
            _log.warning("closing failed", exc_info=True)

    def _pinned(self, node: Node) -> str | None:
        """Return the key that the node must prove: the pinned one; for a new node its driver's."""
        return self._folder.pinned(node.id) or node.host_key

    def _proven(self, node: Node, host_key: str) -> None:
        if self._folder.exists() and self._folder.pinned(node.id) is None:
            self._folder.pin(node.id, host_key)


def _called(driver: Driver) -> str:
    return driver.name or type(driver).__name__
