"""What is open while verbs run: the drivers' clients, and warm connections."""

import logging
from contextlib import AsyncExitStack
from typing import Self

from ..driver import Driver, Group
from ..fanout import to_the_end
from ..ssh.connections import Connections
from ..store import ClusterFolder
from .access import Access
from .foreign import as_error, asking
from .inventory import Inventory
from .reach import Reach
from .trust import Trust

_log = logging.getLogger(__name__)


class Session:
    """The open drivers and connections of one cluster.

    Once it began to close, it closes whole: a cancellation waits until it has.
    """

    def __init__(self, groups: tuple[Group, ...], folder: ClusterFolder, access: Access) -> None:
        self._drivers = tuple({id(group.driver): group.driver for group in groups}.values())
        self.trust = Trust(groups, folder, access)
        self.reach = Reach(groups, Inventory(groups, folder).specs)
        self._stack = AsyncExitStack()
        self.connections = Connections(
            pinned=self.trust.host_key,
            proven=self.trust.proven,
            route=access.route,
            certified_name=self.trust.certified_name,
            explained=self.reach.explained,
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

    async def __aexit__(self, _: object, error: BaseException | None, *__: object) -> None:
        await self._close(error)

    async def _close(self, error: BaseException | None) -> None:
        """Close all; what goes wrong with that is of no interest after an `error`."""
        try:
            await to_the_end(self._stack.aclose())
        except Exception as problem:
            if error is None:
                raise as_error(problem, "can't close a driver") from problem
            _log.warning("closing failed", exc_info=True)


def _called(driver: Driver) -> str:
    return driver.name or type(driver).__name__
