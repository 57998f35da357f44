"""Our own standard input, for commands to read."""

import asyncio
import os
from collections.abc import AsyncIterator

from ..errors import MachineError

PIECE = 64 * 1024
"""Bytes to read at once."""


async def standard_input() -> AsyncIterator[bytes]:
    """Yield what comes, until its end; read no more than is asked for."""
    try:
        while True:
            await _readable()
            data = os.read(0, PIECE)
            if not data:
                return
            yield data
    except OSError as error:
        raise MachineError(
            "can't read standard input",
            cause=os.strerror(error.errno) if error.errno else str(error),
            fix="give one, as in: tinycloud execute ... --stdin < FILE",
        ) from error


async def _readable() -> None:
    """Wait until there is something to read, or never will be."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(0, readable.set)
    except PermissionError:  # a plain file or /dev/null: always readable, so no event says so
        await asyncio.sleep(0)
        return
    try:
        await readable.wait()
    finally:
        loop.remove_reader(0)
