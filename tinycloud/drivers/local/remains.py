"""Processes that a node left behind: one that was killed could not end them itself."""

import os
from collections.abc import Collection
from pathlib import Path

import psutil

from .line import FORKER
from .process import Process, this_process


def left_behind(ids: Collection[str], homes: Collection[Path]) -> tuple[Process, ...]:
    """Return the processes of these nodes, found among all by what they carry with them.

    What ran in a session has the node's id in its environment; a node itself, where
    its record is lost, has the forker's command line and works in the node's home.
    """
    found = []
    places = {str(home) for home in homes}
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _belongs(process, ids, places):
            found.append(this_process(process.pid))
    return tuple(process for process in found if process is not None)


def _belongs(process: psutil.Process, ids: Collection[str], homes: Collection[str]) -> bool:
    try:
        if process.uids().real != os.getuid():
            return False
        if process.environ().get("TINYCLOUD_NODE_ID") in ids:
            return True
        return bool(homes) and FORKER in process.cmdline() and process.cwd() in homes
    except (psutil.Error, OSError):
        return False
