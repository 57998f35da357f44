"""End all that a node's sessions have started."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from ...ssh.server import Children

PATIENCE = 1.0
"""Seconds between asking politely and SIGKILL."""
ROUND = 0.1
# A stopped process acts on nothing else before it goes on.
POLITELY = (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT)


async def end_descendants(children: Children) -> None:
    """End every descendant of this process: on Linux the orphans are its children too."""
    patience = time.monotonic() + PATIENCE
    asked: set[int] = set()
    while children.reap():
        found = {process.pid for process in psutil.Process().children(recursive=True)}
        if time.monotonic() >= patience:
            send(found, signal.SIGKILL)
        else:
            send(found - asked, *POLITELY)
            asked |= found
        await children.change(ROUND)


def send(pids: Iterable[int], *numbers: signal.Signals) -> None:
    """Send signals to processes, as far as they are there and ours."""
    for pid in pids:
        for number in numbers:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
