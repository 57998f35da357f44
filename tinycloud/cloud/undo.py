"""The way back: remove from a group what a launch has made, and nothing else."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from ..driver import Group
from ..group import GroupSpec
from ..node import Node, Status
from . import plan
from .destroy import surely_gone, what_remains

UNDO_TIMEOUT = 300.0
"""Seconds that a driver has to take back what a failed launch made of a group."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The nodes that were removed, and the names of what should be and is not."""

    removed: tuple[Node, ...] = ()
    remaining: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Takes back what a launch made of a group; `before` are the nodes that it had then."""

    group: Group
    spec: GroupSpec
    before: tuple[Node, ...]

    async def all(self) -> Undone:
        """Remove the nodes that are new, and stop the group again if all of it was stopped.

        A group that had no nodes goes whole, with all that was prepared for it.
        """
        undone = await self._remove(None)
        if self.before and all(node.status is Status.STOPPED for node in self.before):
            await self._stop()
        return undone

    async def only(self, indices: Collection[int]) -> Undone:
        """Remove the nodes that are new and have one of these indices."""
        return await self._remove(indices)

    async def _remove(self, indices: Collection[int] | None) -> Undone:
        def doomed(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
            new = plan.created(self.before, nodes)
            return tuple(node for node in new if indices is None or node.index in indices)

        driver, spec = self.group.driver, self.spec
        nodes, remaining = tuple[Node, ...](), tuple[str, ...]()
        try:
            async with asyncio.timeout(UNDO_TIMEOUT), driver:
                nodes = doomed(await driver.list(spec))
                if indices is None and not self.before:
                    await driver.destroy(spec)
                elif nodes:
                    await driver.discard(spec, [node.index for node in nodes])
        except Exception as error:  # the other groups must be undone too
            _log.warning("can't take back group '%s'", self.group.tag, exc_info=True)
            remaining = await what_remains(self.group, spec, error, doomed)
        return Undone(removed=surely_gone(nodes, remaining), remaining=remaining)

    async def _stop(self) -> None:
        try:
            async with asyncio.timeout(UNDO_TIMEOUT), self.group.driver:
                await self.group.driver.stop(self.spec)
        except Exception:  # it runs, as it was asked to
            _log.warning("can't stop group '%s' again", self.group.tag, exc_info=True)
