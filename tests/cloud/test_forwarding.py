"""`Cloud.forward`: a block in which a port here leads through a node, and what ends it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psutil
import pytest
from clusters import files, kill, launched, local

from tinycloud import (
    Cloud,
    ConnectionLost,
    InvalidInput,
    MachineError,
    NoSuchCluster,
    Unreachable,
)
from tinycloud.cloud.forwarding import checked_listen, checked_target

SERVER_GREETS = b"SSH-2.0-"


async def greeting(address: tuple[str, int]) -> bytes:
    """Return the first that is said at this address."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        return await reader.read(len(SERVER_GREETS))
    finally:
        writer.close()


@asynccontextmanager
async def named(cloud: Cloud) -> AsyncIterator[dict[str, int]]:
    """Have a server for each node's name here; yield their ports. Nodes are this machine."""
    yield {node.name: node.port for node in await cloud.list()}


def listens(port: int) -> bool:
    """Return whether this process listens on a port."""
    found = psutil.Process().net_connections("tcp")
    return any(c.laddr.port == port and c.status == psutil.CONN_LISTEN for c in found)


async def test_it_leads_where_it_should_and_ends_with_its_block() -> None:
    """It listens on this machine alone, on a free port, and for as long as the block lasts."""
    async with launched(1) as cloud:
        node = (await cloud.list())[0]
        async with cloud.forward(node.port) as (host, port):
            assert host == "127.0.0.1"
            assert listens(port)
            assert await greeting((host, port)) == SERVER_GREETS
        assert not listens(port)
        assert asyncio.all_tasks() == {asyncio.current_task()}
