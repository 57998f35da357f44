"""End nodes, and remove what was made for them."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import replace

from ...errors import ResourcesRemain
from ...fanout import fan_out, to_the_end
from .folders import GroupFolder, NodeFolder
from .process import Process, descendants
from .sweep import sweep

GRACE = 10.0
"""Seconds that a node has to end its processes and itself, before we do it."""
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
    running = [process for process in running if process.send(signal.SIGTERM)]
    ended = await fan_out(lambda process: process.end(GRACE), running, limit=WATCHED)
    stubborn = [process for process, gone in zip(running, ended, strict=True) if not gone]
    await fan_out(_kill, stubborn, limit=WATCHED)
    return await to_the_end(asyncio.to_thread(sweep, folders))


async def _kill(node: Process) -> None:
    """End a node that can't end itself, and all that it has started."""
    doomed = (node, *descendants(node))
    for process in doomed:
        process.send(signal.SIGKILL)
    for process in doomed:
        await process.end(GRACE)


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
