"""Drivers with odd manners, as others might offer them: local nodes, and one thing goes wrong."""

import asyncio
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from tinycloud.drivers.local import Local
from tinycloud.errors import MachineError, ProviderError, ResourcesRemain
from tinycloud.group import GroupSpec
from tinycloud.node import Node


async def hang() -> None:
    """Tell that we have come so far, and go no further unless we are free to."""
    if "ODD_FREE" in os.environ:
        return
    if told := os.environ.get("ODD_TELL"):
        await asyncio.to_thread(Path(told).write_text, "here\n")  # a pipe: who listens may be late
    await asyncio.sleep(3600)


class Refusing(Local):
    """Has no machines to give."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        raise ProviderError("no machines today", cause="[red]quota[/red] \x1b[2J", fix="wait")


class Sticky(Local):
    """Can't destroy what it made."""

    async def destroy(self, spec: GroupSpec) -> None:
        if "ODD_FREE" not in os.environ:
            names = tuple(node.name for node in await self.list(spec))
            raise ResourcesRemain("stuck", cause="glue", fix="wait", remaining=names)
        await super().destroy(spec)

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        await self.destroy(spec)


class Slow(Local):
    """Takes its time before the workers start."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        if spec.tag == "worker":
            await hang()
        return await super().start(spec)


class Clinging(Local):
    """Takes its time to destroy."""

    async def destroy(self, spec: GroupSpec) -> None:
        await hang()
        await super().destroy(spec)


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
