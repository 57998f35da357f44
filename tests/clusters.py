"""Clusters of local nodes for tests, destroyed afterwards; and ways to do their nodes harm."""

import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

import psutil

from tinycloud import Cloud, Group, Node
from tinycloud.drivers.local import Local
from tinycloud.fanout import to_the_end


@asynccontextmanager
async def destroyed_after(cloud: Cloud) -> AsyncIterator[Cloud]:
    """Destroy the cluster when the block is over, however that is; nothing may be left."""
    try:
        yield cloud
    finally:
        await to_the_end(Cloud(cloud.groups, name=cloud.name).destroy())
        assert files() == []
        assert node_processes() == []


@asynccontextmanager
async def launched(workers: int = 2, *, setup: str | None = None) -> AsyncIterator[Cloud]:
    """Launch one master and some workers for as long as the block lasts."""
    async with destroyed_after(local(workers, setup=setup)) as cloud:
        await cloud.launch()
        yield cloud


def local(workers: int = 2, *, setup: str | None = None) -> Cloud:
    """Return a cluster of local nodes: one master, and some workers."""
    driver = Local()
    groups = [
        Group("master", 1, driver, setup=setup),
        Group("worker", workers, driver, setup=setup),
    ]
    return Cloud(groups, name="voltron")


def process_of(node: Node) -> psutil.Process:
    """Return the process that is a local node: the one that listens on its port."""
    for connection in psutil.net_connections("tcp"):
        here = connection.laddr and connection.laddr.port == node.port
        if here and connection.status == psutil.CONN_LISTEN and connection.pid:
            return psutil.Process(connection.pid)
    raise LookupError(f"nobody listens on {node.port}")


def kill(node: Node) -> None:
    """Kill a local node as an accident would, and wait until it is dead."""
    process = process_of(node)
    process.send_signal(signal.SIGKILL)
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def files(pattern: str = "*") -> list[str]:
    """Return the names of all that is kept for this test."""
    kept = os.walk(os.environ["TINYCLOUD_STATE_DIR"])  # which takes what vanishes as it comes
    return [n for _, folders, files in kept for n in (*folders, *files) if fnmatch(n, pattern)]


def node_processes() -> list[psutil.Process]:
    """Return the processes that work in this test's state folder: local nodes, and theirs."""
    return list(homes())


def homes() -> dict[psutil.Process, Path]:
    """Return those processes with the folders that they work in."""
    state = Path(os.environ["TINYCLOUD_STATE_DIR"])
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or is another user's
            folder = Path(process.cwd())
            if state in folder.parents:
                found[process] = folder
    return found


def ids(nodes: tuple[Node, ...]) -> dict[str, str]:
    """Return the ids of nodes, by name."""
    return {node.name: node.id for node in nodes}
