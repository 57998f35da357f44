"""Clear away what dead nodes left running."""

import signal
import time
from collections.abc import Iterable
from pathlib import Path

from .folders import NodeFolder
from .process import Process
from .remains import left_behind

PATIENCE = 5.0
LOOK_AGAIN = 0.01


def sweep(folders: Iterable[NodeFolder]) -> tuple[Process, ...]:
    """End the processes that these dead nodes left behind; return those that won't end.

    Looks through all processes, but only if one of the nodes did not end in order.
    """
    ids, homes = _suspects(folders)
    if not ids and not homes:
        return ()
    deadline = time.monotonic() + PATIENCE
    doomed: set[Process] = set()
    while left := set(left_behind(ids, homes)) | {one for one in doomed if one.alive()}:
        if time.monotonic() > deadline:
            return tuple(left)
        for process in left - doomed:
            process.send(signal.SIGKILL)
        doomed |= left  # while they end they can't be told any more by what they carry
        time.sleep(LOOK_AGAIN)
    return ()


def _suspects(folders: Iterable[NodeFolder]) -> tuple[set[str], set[Path]]:
    ids: set[str] = set()
    homes: set[Path] = set()
    for folder in folders:
        record = folder.record()
        if record is None:
            homes.add(folder.home)
        elif record.process is not None:
            ids.add(record.id)
    return ids, homes
