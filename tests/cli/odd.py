"""Drivers with odd manners, as others might offer them: local nodes, and one thing goes wrong."""

import asyncio
import sys
from collections.abc import Collection
from dataclasses import replace

from tinycloud.drivers.local import Local
from tinycloud.errors import MachineError, ProviderError, ResourcesRemain
from tinycloud.group import GroupSpec
from tinycloud.node import Node

SECONDS = 3600.0


class Refusing(Local):
    """Has no machines to give."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        raise ProviderError("no machines today", cause="[red]quota[/red] \x1b[2J", fix="wait")


class Sticky(Local):
    """Can't destroy what it made."""

    async def destroy(self, spec: GroupSpec) -> None:
        if "unstick" not in sys.argv:
            names = tuple(node.name for node in await self.list(spec))
            raise ResourcesRemain("stuck", cause="glue", fix="wait", remaining=names)
        await super().destroy(spec)

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        await self.destroy(spec)


class Slow(Local):
    """Takes its time before each group of nodes starts."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        await asyncio.sleep(SECONDS)
        return await super().start(spec)


class Late(Local):
    """Takes its time when its nodes have started."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        await super().start(spec)
        await asyncio.sleep(SECONDS)
        return ()


class Clinging(Late):
    """Takes its time to destroy as well."""

    async def destroy(self, spec: GroupSpec) -> None:
        if await self.list(spec):
            await asyncio.sleep(SECONDS)


class Deaf(Local):
    """Says that its nodes listen where nobody does."""

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        return tuple(replace(node, port=1) for node in await super().list(spec))


class Lacking(Local):
    """Finds this machine wanting."""

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        raise MachineError("no memory", cause="it is full", fix="buy more")


class Masked(Local):
    """Gives its nodes names that want to be more than text."""

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        return tuple(
            replace(node, id=f"[red]{node.id}[/red]\x1b[2J\n:warning:", username="[bold]me")
            for node in await super().list(spec)
        )
