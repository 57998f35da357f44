"""The driver of nodes on this very machine."""

import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from ...driver import Driver
from ...fanout import to_the_end
from ...group import GroupSpec
from ...node import Node, Status
from ...store.folder import state_folder
from . import ending
from .account import username
from .folders import GroupFolder, NodeFolder
from .line import Line, LineCut
from .lock import lock_of
from .order import Order
from .plan import to_run
from .record import NodeRecord

ADDRESS = "127.0.0.1"


class Local(Driver):
    """Makes nodes out of processes: each a true SSH server on 127.0.0.1.

    They outlive the program that launches them, and belong to the user who does.
    As a block it keeps one process ready that forks them.
    """

    name = "local"

    def __init__(self) -> None:
        self._blocks = 0
        self._line: Line | None = None

    def __repr__(self) -> str:
        return "Local()"

    async def __aenter__(self) -> Self:
        self._blocks += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._blocks -= 1
        if not self._blocks and self._line:
            line, self._line = self._line, None
            await to_the_end(line.close())

    async def prepare(self, spec: GroupSpec) -> None:
        """Begin to get ready for `start`, inside of a block; nothing else has to exist."""
        if self._blocks:
            self._kept_line()

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Make the group have `count` running nodes; they can be connected to at once."""
        if to_run(_group(spec), spec.count):
            order = Order(
                root=str(state_folder()),
                cluster=spec.cluster,
                tag=spec.tag,
                count=spec.count,
                authorized_keys=spec.authorized_keys,
                ttl=spec.ttl,
            )
            await self._ask(order)
        return await self.list(spec)

    async def _ask(self, order: Order) -> None:
        while True:
            async with self._borrowed_line() as line:
                try:
                    return await line.ask(order)
                except LineCut:  # somebody else was cancelled, which ended their forker
                    continue

    @asynccontextmanager
    async def _borrowed_line(self) -> AsyncIterator[Line]:
        if self._blocks:
            yield self._kept_line()
            return
        line = Line()
        try:
            yield line
        finally:
            await to_the_end(line.close())

    def _kept_line(self) -> Line:
        if self._line is None or self._line.cut:
            self._line = Line()
        return self._line

    async def stop(self, spec: GroupSpec) -> None:
        """End the nodes' processes; folders, host keys and ports stay theirs."""
        group = _group(spec)
        async with lock_of(group.lock) as held:
            if held:
                await ending.stop(group.nodes())

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        """Return whether each node's process lives."""
        return tuple(node.status for node in await self.list(spec))

    async def destroy(self, spec: GroupSpec) -> None:
        """End the nodes with all their processes, and delete their folders."""
        await self._remove(spec, None)

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        """Destroy only these nodes."""
        await self._remove(spec, indices)

    async def _remove(self, spec: GroupSpec, indices: Collection[int] | None) -> None:
        group = _group(spec)
        async with lock_of(group.lock) as held:
            if held:
                doomed = [
                    node for node in group.nodes() if indices is None or node.index in indices
                ]
                await ending.remove(doomed, group)
            else:
                group.prune()

    async def extend(
        self, spec: GroupSpec, nodes: Collection[Node], deadline: datetime | None
    ) -> str:
        """Write the deadline into the records of these nodes, which look there themselves."""
        group, moment = _group(spec), None if deadline is None else deadline.timestamp()
        ids = {node.id for node in nodes}
        async with lock_of(group.lock) as held:
            for folder in group.nodes() if held else ():
                record = folder.record()
                if record is not None and record.id in ids:
                    folder.write_record(replace(record, deadline=moment))
        return ""

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Return the nodes that have lived; one that died some way is stopped."""
        found = ((folder, folder.record()) for folder in _group(spec).nodes())
        nodes = (_node(spec.tag, folder, record) for folder, record in found if record)
        return tuple(node for node in nodes if node)


def _group(spec: GroupSpec) -> GroupFolder:
    return GroupFolder(state_folder(), spec.cluster, spec.tag)


def _node(tag: str, folder: NodeFolder, record: NodeRecord) -> Node | None:
    """Return the node; None if its time to live ran out while it was stopped."""
    running = record.running
    if not running and record.expired(time.time()):
        return None
    return Node(
        tag=tag,
        index=folder.index,
        id=record.id,
        status=Status.RUNNING if running else Status.STOPPED,
        address=ADDRESS,
        port=record.port,
        username=username(),
        private_address=ADDRESS,
        launched_at=_moment(record.launched_at),
        host_key=record.host_key,
        expires_at=None if record.deadline is None else _moment(record.deadline),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
