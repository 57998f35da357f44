"""A driver of groups, made of drivers of single machines."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TypeVar

from .driver import Driver, NodeDriver
from .errors import ProviderError, ResourcesRemain
from .fanout import fan_out
from .group import GroupSpec
from .node import Node, Status, node_name

R = TypeVar("R")

LOOK_AHEAD = 8
"""Machines in a row that must be missing, past the count, until none is looked for any more."""


class PerNode(Driver):
    """A driver made of node drivers: `factory(spec, index)` makes the one for a machine.

    Past the count it is told, it looks for further machines until `LOOK_AHEAD` in a
    row are missing, so that a group launched larger before is still found whole. A
    machine that fails does not keep the others from being tried.
    """

    def __init__(self, factory: Callable[[GroupSpec, int], NodeDriver]) -> None:
        self.factory = factory

    async def prepare(self, spec: GroupSpec) -> None:
        _check(spec, await self._each(spec, range(spec.count), lambda node: node.prepare()))

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        surplus = [node.index for node in await self.list(spec) if node.index >= spec.count]
        wanted = [*range(spec.count), *surplus]
        _check(spec, await self._each(spec, wanted, lambda node: node.start()))
        return await self.list(spec)

    async def stop(self, spec: GroupSpec) -> None:
        existing = [node.index for node in await self.list(spec)]
        _check(spec, await self._each(spec, existing, lambda node: node.stop()))

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        return tuple(node.status for node in await self.list(spec))

    async def destroy(self, spec: GroupSpec) -> None:
        # Also what is missing below the count: something may have been prepared for it.
        await self.discard(spec, sorted({*range(spec.count), *await self._found(spec)}))

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        found = await self._found(spec)
        _check(spec, found)
        return tuple(node for node in found.values() if isinstance(node, Node))

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        errors = _errors(await self._each(spec, indices, lambda node: node.destroy()))
        if errors:
            raise ResourcesRemain(
                f"nodes remain in group '{spec.tag}'",
                cause=_joined(spec, errors),
                fix=f"tinycloud destroy {spec.cluster}",
                remaining=tuple(node_name(spec.tag, index) for index in errors),
            )

    async def _found(self, spec: GroupSpec) -> dict[int, Node | Exception]:
        """Return the machines that exist, by index; an error where one could not be looked at."""
        found: dict[int, Node | Exception] = {}
        begin, end = 0, spec.count + LOOK_AHEAD
        while begin < end:
            seen = await self._each(spec, range(begin, end), lambda node: node.list())
            exist = {i: node for i, node in seen.items() if not _is_missing(node)}
            found.update(exist)
            last = max((i for i, node in exist.items() if isinstance(node, Node)), default=-1)
            begin, end = end, last + 1 + LOOK_AHEAD
        return found

    async def _each(
        self,
        spec: GroupSpec,
        indices: Iterable[int],
        act: Callable[[NodeDriver], Awaitable[R]],
    ) -> dict[int, R | Exception]:
        async def one(index: int) -> tuple[int, R | Exception]:
            try:
                async with self.factory(spec, index) as driver:
                    return index, await act(driver)
            except Exception as error:
                return index, error

        return dict(await fan_out(one, indices))


def _is_missing(seen: Node | Exception) -> bool:
    return isinstance(seen, Node) and seen.status is Status.TERMINATED


def _errors(outcomes: Mapping[int, object]) -> dict[int, Exception]:
    return {i: error for i, error in outcomes.items() if isinstance(error, Exception)}


def _check(spec: GroupSpec, outcomes: Mapping[int, object]) -> None:
    """Raise `ProviderError` if something went wrong with a machine."""
    errors = _errors(outcomes)
    if errors:
        raise ProviderError(
            f"{len(errors)} nodes of group '{spec.tag}' failed",
            cause=_joined(spec, errors),
            fix="mend the cause and run the same command again",
        ) from next(iter(errors.values()))


def _joined(spec: GroupSpec, errors: Mapping[int, Exception]) -> str:
    return "; ".join(f"{node_name(spec.tag, i)}: {error}" for i, error in errors.items())
