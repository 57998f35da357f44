"""End nodes, and remove what was made for them."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from ...errors import ResourcesRemain
from ...fanout import fan_out, to_the_end
from .folders import GroupFolder, NodeFolder
from .process import Process, descendants
from .sweep import sweep

GRACE = 10.0
"""Seconds that a node has to end its processes and itself, before we do it."""
KILLED = 10.0
"""Seconds for the kernel to end what was killed."""
WATCHED = 256
"""Processes watched at one time: each takes a file descriptor, of which 1024 are usual."""


async def stop(folders: Sequence[NodeFolder]) -> None:
    """End the nodes with all their processes; raise `ResourcesRemain` if some won't."""
    left = await _end(folders)
    if left:
        raise _remain([f"process {process.pid}" for process in left])
    for folder in folders:
        record = folder.record()
        if record is not None and record.process is not None:
            folder.write_record(replace(record, process=None))


async def remove(folders: Sequence[NodeFolder], group: GroupFolder) -> None:
    """End the nodes and delete their folders; raise `ResourcesRemain` naming what is left."""
    left = [f"process {process.pid}" for process in await _end(folders)]
    left += await to_the_end(asyncio.to_thread(_delete, folders, group))
    if left:
        raise _remain(left)


async def _end(folders: Sequence[NodeFolder]) -> tuple[Process, ...]:
    records = [record for folder in folders if (record := folder.record()) is not None]
    running = [record.process for record in records if record.process]
    for process in running:
        process.send(signal.SIGTERM)
        process.send(signal.SIGCONT)  # one that is stopped acts on nothing else
    left = await fan_out(_see_end, running, limit=WATCHED)
    return (*chain(*left), *await to_the_end(asyncio.to_thread(sweep, folders)))


async def _see_end(node: Process) -> tuple[Process, ...]:
    """Wait for the end of a node that was told to end itself; return what won't end."""
    if await node.end(GRACE):
        return ()
    doomed = (node, *descendants(node))
    for process in doomed:
        process.send(signal.SIGKILL)
    return tuple([process for process in doomed if not await process.end(KILLED)])


def _delete(folders: Sequence[NodeFolder], group: GroupFolder) -> list[str]:
    left = []
    for folder in folders:
        try:
            folder.remove()
        except OSError as error:
            left.append(f"{error.filename or folder.path}: {error.strerror or error}")
    try:
        group.remove_if_empty()
    except OSError as error:
        left.append(f"{error.filename or group.path}: {error.strerror or error}")
    return left


def _remain(left: Sequence[str]) -> ResourcesRemain:
    return ResourcesRemain(
        "something of the local nodes remains",
        cause=left[0] if len(left) == 1 else f"{left[0]}, and {len(left) - 1} more",
        fix="end or remove it as the user it belongs to, and run the same command again",
        remaining=tuple(left),
    )
