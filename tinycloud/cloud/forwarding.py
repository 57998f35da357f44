"""A tunnel through one node: what may be asked for, and what its end means for who uses it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

from ..errors import ConnectionLost, InvalidInput
from ..ssh.connection import Address, Connection

LOOPBACK = "127.0.0.1"
PORTS = 1 << 16
_HOST = re.compile("[!-~]{1,255}")


def checked_listen(listen: Address) -> Address:
    """Return where to listen, or raise `InvalidInput` if nobody can; port 0 is any free one."""
    address, port = listen
    try:
        ip_address(address)
    except ValueError:
        raise InvalidInput(
            f"can't listen on {address[:80]!r}",
            cause="it is not an IP address",
            fix="127.0.0.1 is for this machine alone; 0.0.0.0 is open to all who can reach it",
        ) from None
    if not 0 <= port < PORTS:
        raise InvalidInput(f"no port {port}", fix="take one from 1 to 65535, or 0 for a free one")
    return address, port


def checked_target(host: str, port: int) -> Address:
    """Return where a node is to connect, or raise `InvalidInput` if it can't."""
    if not 0 < port < PORTS:
        raise InvalidInput(f"no port {port}", fix="take one from 1 to 65535")
    if not _HOST.fullmatch(host):
        raise InvalidInput(f"not a host: {host[:80]!r}", fix="give its name or its address")
    return host, port


@asynccontextmanager
async def tunnel(
    connection: Connection, cluster: str, *, listen: Address, to: Address | None
) -> AsyncIterator[Address]:
    """Forward while the block lasts; see `Cloud.forward`."""
    async with connection.forward(listen, to) as address, _while_open(connection, cluster):
        yield address


@asynccontextmanager
async def _while_open(connection: Connection, cluster: str) -> AsyncIterator[None]:
    """Cancel the block when the connection dies, and then raise `ConnectionLost` instead.

    As `asyncio.timeout` does: a cancellation that somebody else asked for goes before.
    """
    block = asyncio.current_task()
    assert block is not None
    cancellations = block.cancelling()
    died = asyncio.ensure_future(connection.wait_closed())
    died.add_done_callback(lambda _: died.cancelled() or block.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if not died.done() or block.uncancel() > cancellations:
            raise
        raise ConnectionLost(
            f"lost {connection.node.name}",
            cause="the connection died under the tunnel",
            fix=f"tinycloud status {cluster}",
        ) from None
    finally:
        died.cancel()
