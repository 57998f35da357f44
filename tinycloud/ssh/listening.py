"""Listen on a port of this machine, or say why that can't be."""

import asyncio
import errno
from collections.abc import Callable

from ..errors import InvalidInput, MachineError, TinycloudError
from .connection import Address

BACKLOG = 128


async def listening(factory: Callable[[], asyncio.Protocol], listen: Address) -> asyncio.Server:
    """Return a server that hands each connection to a new protocol.

    Raises `InvalidInput` for an address that this machine does not have, and
    `MachineError` if it can't be listened on.
    """
    address, port = listen
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(factory, address, port, backlog=BACKLOG)
    except OSError as error:
        raise _deaf(address, port, error) from error


def _deaf(address: str, port: int, error: OSError) -> TinycloudError:
    """Return the error for an address and port that can't be listened on."""
    what = f"can't listen on {address} port {port}"
    if error.errno == errno.EADDRINUSE:
        fix = "end the program that does, or take another port; 0 takes any that is free"
        return MachineError(what, cause="a program listens there already", fix=fix)
    if error.errno == errno.EACCES:
        fix = "take a port from 1024 up; 0 takes any that is free"
        return MachineError(what, cause="you may not", fix=fix)
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        cause = "this machine has no such address"
        return InvalidInput(what, cause=cause, fix="give one that it has, such as 127.0.0.1")
    return MachineError(what, cause=error.strerror or str(error), fix="see --debug")
