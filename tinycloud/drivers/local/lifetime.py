"""When a node's life ends, and what it does last."""

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace

from .folders import GroupFolder, NodeFolder
from .lock import lock_from_below

LOOK_AROUND = 15.0
"""Seconds between two looks at the clock and at our own folder."""


async def the_end(folder: NodeFolder, deadline: float | None, told: asyncio.Event) -> bool:
    """Wait for the end of the node's life; return whether it comes because time is over.

    Its record may come to name another deadline. The end comes too when somebody deletes
    the node's folder by hand, as nobody could find the node any more.
    """
    ours = os.stat(folder.path)
    while not told.is_set() and _is_still(ours, folder):
        record = folder.record()
        deadline = record.deadline if record else deadline
        left = LOOK_AROUND if deadline is None else deadline - time.time()
        if left <= 0:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, LOOK_AROUND)):
                await told.wait()
    return False


def _is_still(ours: os.stat_result, folder: NodeFolder) -> bool:
    try:
        return os.path.samestat(ours, os.stat(folder.path))
    except OSError:
        return False


def note_the_end(folder: NodeFolder) -> None:
    """Write down that no process is left of this node."""
    if sys.platform != "linux":
        return  # orphans are not ours to see: let whoever asks look through all processes
    record = folder.record()
    if record is not None and record.process and record.process.pid == os.getpid():
        folder.write_record(replace(record, process=None))


def vanish(folder: NodeFolder, group: GroupFolder) -> None:
    """Delete this node's folder, and the group's with the last; leave it to whoever ends us."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with lock_from_below(group.lock, lambda: signal.SIGTERM in signal.sigpending()) as held:
        if held:
            os.chdir("/")
            folder.remove()
            group.remove_if_empty()
