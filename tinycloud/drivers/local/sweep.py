"""Clear away what dead nodes left running."""

import signal
import time
from collections.abc import Iterable
from pathlib import Path

from .folders import NodeFolder
from .process import Process
from .remains import left_behind

PATIENCE = 5.0


def sweep(folders: Iterable[NodeFolder]) -> tuple[Process, ...]:
    """End the processes that these dead nodes left behind; return those that won't end.

    Looks through all processes, but only if one of the nodes did not end in order.
    """
    ids, homes = _suspects(folders)
    if not ids and not homes:
        return ()
    deadline = time.monotonic() + PATIENCE
    while left := left_behind(ids, homes):
        if time.monotonic() > deadline:
            return left
        for process in left:
            process.send(signal.SIGKILL)
        time.sleep(0.01)
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
