"""A driver of groups, made of drivers of single machines."""

from collections.abc import Awaitable, Callable, Collection, Iterable

from .driver import Driver, NodeDriver
from .errors import ProviderError, ResourcesRemain
from .fanout import fan_out
from .group import GroupSpec
from .node import Node, Status, node_name


class PerNode(Driver):
    """A driver made of node drivers: `factory(spec, index)` makes the one for a machine.

    Past the count it is told, it looks for further machines until it finds none,
    so that a group launched larger before is still found whole. A machine that
    fails does not keep the others from being tried.
    """

    def __init__(self, factory: Callable[[GroupSpec, int], NodeDriver]) -> None:
        self.factory = factory

    async def prepare(self, spec: GroupSpec) -> None:
        self._check(spec, await self._each(spec, range(spec.count), lambda node: node.prepare()))

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        surplus = [node.index for node in await self.list(spec) if node.index >= spec.count]
        wanted = [*range(spec.count), *surplus]
        self._check(spec, await self._each(spec, wanted, lambda node: node.start()))
        return await self.list(spec)

    async def stop(self, spec: GroupSpec) -> None:
        existing = [node.index for node in await self.list(spec)]
        self._check(spec, await self._each(spec, existing, lambda node: node.stop()))

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        return tuple(node.status for node in await self.list(spec))

    async def destroy(self, spec: GroupSpec) -> None:
        await self.discard(spec, [node.index for node in await self.list(spec)])

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        async def look(index: int) -> Node:
            async with self.factory(spec, index) as driver:
                return await driver.list()

        nodes = [*await fan_out(look, range(spec.count))]
        while (node := await look(len(nodes))).status is not Status.TERMINATED:
            nodes.append(node)
        return tuple(node for node in nodes if node.status is not Status.TERMINATED)

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        errors = await self._each(spec, indices, lambda node: node.destroy())
        if errors:
            raise ResourcesRemain(
                f"nodes remain in group '{spec.tag}'",
                cause=_joined(spec, errors),
                fix=f"tinycloud destroy {spec.cluster}",
                remaining=tuple(node_name(spec.tag, index) for index in errors),
            )

    async def _each(
        self,
        spec: GroupSpec,
        indices: Iterable[int],
        act: Callable[[NodeDriver], Awaitable[object]],
    ) -> dict[int, Exception]:
        async def one(index: int) -> tuple[int, Exception | None]:
            try:
                async with self.factory(spec, index) as driver:
                    await act(driver)
            except Exception as error:
                return index, error
            return index, None

        return {i: error for i, error in await fan_out(one, indices) if error is not None}

    def _check(self, spec: GroupSpec, errors: dict[int, Exception]) -> None:
        if errors:
            raise ProviderError(
                f"{len(errors)} nodes of group '{spec.tag}' failed",
                cause=_joined(spec, errors),
                fix="mend the cause and run the same command again",
            ) from next(iter(errors.values()))


def _joined(spec: GroupSpec, errors: dict[int, Exception]) -> str:
    return "; ".join(f"{node_name(spec.tag, i)}: {error}" for i, error in errors.items())
