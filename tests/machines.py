"""Machines in memory, with drivers of both kinds; and a driver that gets into trouble.

They keep the contract of drivers (tests/contract puts them through it), and can do
what real ones can't be made to do: fail, or wait, at a given point of a given call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from tinycloud import Driver, GroupSpec, Node, NodeDriver, Status
from tinycloud.testing import DriverContract


@dataclass
class Provider:
    """What goes on when drivers come and go: the machines, by cluster, tag and index.

    `prepared` are the groups that something was made for. `specs` are those that
    machines were made from, by their id.
    """

    machines: dict[tuple[str, str], dict[int, Node]] = field(default_factory=dict)
    prepared: set[tuple[str, str]] = field(default_factory=set)
    specs: dict[str, GroupSpec] = field(default_factory=dict)

    def group(self, spec: GroupSpec) -> dict[int, Node]:
        """Return the machines of a group."""
        return self.machines.setdefault((spec.cluster, spec.tag), {})

    def run(self, spec: GroupSpec, index: int) -> None:
        """Make the machine run, whether it exists or not."""
        group = self.group(spec)
        if index not in group:
            id_ = f"memory-{len(self.specs)}"
            self.specs[id_] = spec
            group[index] = Node(
                tag=spec.tag,
                index=index,
                id=id_,
                status=Status.RUNNING,
                address="127.0.0.1",
                port=1,
            )
        group[index] = replace(group[index], status=Status.RUNNING)

    def halt(self, spec: GroupSpec, index: int) -> None:
        """Make the machine stop."""
        self.group(spec)[index] = replace(self.group(spec)[index], status=Status.STOPPED)

    def ids(self) -> dict[str, str]:
        """Return the ids of all machines, by cluster and node name."""
        return {
            f"{cluster}/{node.name}": node.id
            for (cluster, _), group in self.machines.items()
            for node in group.values()
        }


class Memory(Driver):
    """A driver of machines in memory; gives way to others before and after each change."""

    name = "memory"

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.blocks = 0

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0)
        self.blocks += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.blocks -= 1
        await asyncio.sleep(0)

    async def prepare(self, spec: GroupSpec) -> None:
        await asyncio.sleep(0)
        self.provider.prepared.add((spec.cluster, spec.tag))
        await asyncio.sleep(0)

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        for index in sorted({*range(spec.count), *self.provider.group(spec)}):
            await asyncio.sleep(0)
            self.provider.run(spec, index)
        return await self.list(spec)

    async def stop(self, spec: GroupSpec) -> None:
        for index in self.provider.group(spec):
            self.provider.halt(spec, index)
            await asyncio.sleep(0)

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        return tuple(node.status for node in await self.list(spec))

    async def destroy(self, spec: GroupSpec) -> None:
        await self.discard(spec, tuple(self.provider.group(spec)))
        self.provider.prepared.discard((spec.cluster, spec.tag))
        await asyncio.sleep(0)

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        await asyncio.sleep(0)
        return tuple(node for _, node in sorted(self.provider.group(spec).items()))

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        for index in indices:
            await asyncio.sleep(0)
            self.provider.group(spec).pop(index, None)
        await asyncio.sleep(0)


class MemoryNode(NodeDriver):
    """A driver of one machine in memory."""

    def __init__(self, provider: Provider, spec: GroupSpec, index: int) -> None:
        self.provider, self.spec, self.index = provider, spec, index

    async def prepare(self) -> None:
        self.provider.prepared.add((self.spec.cluster, f"{self.spec.tag}-{self.index}"))

    async def start(self) -> Node:
        self.provider.run(self.spec, self.index)
        return await self.list()

    async def stop(self) -> None:
        self.provider.halt(self.spec, self.index)

    async def status(self) -> Status:
        return (await self.list()).status

    async def destroy(self) -> None:
        self.provider.group(self.spec).pop(self.index, None)
        self.provider.prepared.discard((self.spec.cluster, f"{self.spec.tag}-{self.index}"))

    async def list(self) -> Node:
        await asyncio.sleep(0)
        none = Node(tag=self.spec.tag, index=self.index, id="", status=Status.TERMINATED)
        return self.provider.group(self.spec).get(self.index, none)


class MemoryContract(DriverContract):
    """The contract suite for machines in memory: all drivers of a test have one provider."""

    provider: Provider

    async def lose(self, node: Node) -> None:
        for group in self.provider.machines.values():
            for index in [i for i, found in group.items() if found.id == node.id]:
                del group[index]

    async def leftovers(self, cluster: str) -> Collection[str]:
        prepared = [f"prepared {tag}" for name, tag in self.provider.prepared if name == cluster]
        return prepared + [name for name in self.provider.ids() if name.startswith(f"{cluster}/")]


Trouble = Callable[[str, GroupSpec], Awaitable[None]]
"""Is told of a call, `start` for one, and of the group; what it raises, the driver raises."""


async def none(verb: str, spec: GroupSpec) -> None:
    """Make no trouble."""


class Troubled(Driver):
    """Does what another driver does, with trouble `before` or `after` each call."""

    def __init__(self, inner: Driver, *, before: Trouble = none, after: Trouble = none) -> None:
        self.inner, self.before, self.after = inner, before, after
        self.name = inner.name

    @property
    def options(self) -> Mapping[str, object]:
        return self.inner.options

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.inner.__aexit__(kind, error, traceback)

    async def prepare(self, spec: GroupSpec) -> None:
        await self.before("prepare", spec)
        await self.inner.prepare(spec)
        await self.after("prepare", spec)

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        await self.before("start", spec)
        await self.inner.start(spec)
        await self.after("start", spec)
        return await self.inner.list(spec)

    async def stop(self, spec: GroupSpec) -> None:
        await self.before("stop", spec)
        await self.inner.stop(spec)
        await self.after("stop", spec)

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        await self.before("status", spec)
        found = await self.inner.status(spec)
        await self.after("status", spec)
        return found

    async def destroy(self, spec: GroupSpec) -> None:
        await self.before("destroy", spec)
        await self.inner.destroy(spec)
        await self.after("destroy", spec)

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        await self.before("list", spec)
        nodes = await self.inner.list(spec)
        await self.after("list", spec)
        return nodes

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        await self.before("discard", spec)
        await self.inner.discard(spec, indices)
        await self.after("discard", spec)


def fail(verb: str, tag: str, error: Exception) -> Trouble:
    """Return the trouble that one verb fails for one group, always."""

    async def trouble(called: str, spec: GroupSpec) -> None:
        if (called, spec.tag) == (verb, tag):
            raise error

    return trouble
