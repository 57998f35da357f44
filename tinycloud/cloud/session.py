"""What is open while verbs run: the drivers' clients, and warm connections."""

import logging
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from ..driver import Driver, Group
from ..fanout import to_the_end
from ..node import Node
from ..ssh.bastion import Bastion
from ..ssh.connections import Connections
from ..ssh.known_hosts import REVOKED
from ..store import ClusterFolder
from .access import Access
from .foreign import as_error, asking

_log = logging.getLogger(__name__)


class Session:
    """The open drivers and connections of one cluster.

    Once it began to close, it closes whole: a cancellation waits until it has.
    """

    def __init__(self, groups: tuple[Group, ...], folder: ClusterFolder, access: Access) -> None:
        self._drivers = tuple({id(group.driver): group.driver for group in groups}.values())
        self._folder = folder
        self._access = access
        self._made = {group.tag for group in groups if group.driver.makes_machines}
        self._pins: dict[str, str | None] = {}
        self._stack = AsyncExitStack()
        self.connections = Connections(
            pinned=self.host_key, proven=self._proven, route=access.route
        )

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

    def host_key(self, node: Node) -> str | None:
        """Return what the node must prove.

        Of a machine that was made, the pinned key; for a new one what its driver says.
        Of others, what the user's known hosts say; only if that is nothing, a pinned key.
        """
        pinned = self._pin(node)
        if self._is_made(node):
            return pinned or node.host_key
        told = self._access.host_key(node) if isinstance(node, Bastion) else node.host_key
        if pinned is None or _says_who(told):
            return told
        return "\n".join([pinned, *(told or "").splitlines()])

    def _proven(self, node: Node, host_key: str) -> None:
        if self._pin(node) is not None or not self._folder.exists():
            return
        if self._is_made(node) or not _says_who(self.host_key(node)):
            self._folder.pin(node.id, host_key)
            self._pins[node.id] = host_key

    def _pin(self, node: Node) -> str | None:
        """Return the key pinned for this machine; its file is read once."""
        if node.id not in self._pins:
            self._pins[node.id] = self._folder.pinned(node.id)
        return self._pins[node.id]

    def _is_made(self, node: Node) -> bool:
        return node.tag in self._made and not isinstance(node, Bastion)


def _says_who(told: str | None) -> bool:
    """Return whether this tells of a key that the host may prove itself by, not only of revoked."""
    return any(not line.startswith(REVOKED) for line in (told or "").splitlines())


def _called(driver: Driver) -> str:
    return driver.name or type(driver).__name__
