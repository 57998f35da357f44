"""Files to and from many nodes at once: every node ends in exactly one state."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InvalidInput, TinycloudError
from ..node import Node
from ..result import Result
from ..ssh.connection import Ending, Transfer
from ..ssh.connections import Connections
from ..ssh.files.folder import Folder, opened
from ..ssh.files.progress import Progress, Report
from ..ssh.files.shipment import Shipment, shipment
from .execution import check_reachable, state_of

Local = str | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """A transfer, and what it needs to get to the nodes."""

    cluster: str
    connections: Connections
    key: bytes = field(repr=False)
    transfer: Transfer
    report: Report

    async def on(self, node: Node) -> Result:
        """Do it on `node` and return how that ended."""
        begun = time.monotonic()
        ending = await self._ending(node)
        return Result(
            node=node,
            state=ending.state,
            duration=time.monotonic() - begun,
            error=ending.error,
        )

    async def _ending(self, node: Node) -> Ending:
        try:
            check_reachable(node, self.cluster)
            connection = await self.connections.get(node, self.key)
        except InvalidInput:  # a key that is none: it is so for all nodes
            raise
        except TinycloudError as error:
            return Ending(state=state_of(node, error), error=str(error))
        return await connection.move(self.transfer, self.report)


async def loaded(local: Local | Iterable[Local], remote: str, report: Report) -> Shipment:
    """Return what is to be put; raise `InvalidInput` if that makes no sense."""
    paths = [local] if isinstance(local, str | Path) else list(local)
    load = await asyncio.to_thread(shipment, paths, remote)
    for remark in load.remarks:
        report(Progress(node="", remark=remark))
    return load


@asynccontextmanager
async def putting(load: Shipment) -> AsyncIterator[Transfer]:
    """Yield what puts files on a node."""
    yield await asyncio.to_thread(_put, load)


@asynccontextmanager
async def getting(remote: str, local: Local) -> AsyncIterator[Transfer]:
    """Make the folder `local`, and yield what gets files from a node into it."""
    if not os.fspath(local):
        raise InvalidInput("no name for the folder here", fix="'.' is the folder you are in")
    with opened(Path(local)) as folder:
        yield await asyncio.to_thread(_get, remote, folder)


# They load asyncssh, which takes 0.3 s: hence in a thread.
def _put(load: Shipment) -> Transfer:
    from ..ssh.files.put import Put

    return Put(load)


def _get(remote: str, into: Folder) -> Transfer:
    from ..ssh.files.get import Get

    return Get(remote, into)
