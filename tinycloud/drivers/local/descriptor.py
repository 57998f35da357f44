"""Wait for a file descriptor."""

import asyncio
import select
from collections.abc import Callable
from typing import Any


async def readable(descriptor: int) -> None:
    """Wait until a read would not wait."""
    loop = asyncio.get_running_loop()
    await _ready(descriptor, loop.add_reader, loop.remove_reader)


async def writable(descriptor: int) -> None:
    """Wait until a write would not wait."""
    loop = asyncio.get_running_loop()
    await _ready(descriptor, loop.add_writer, loop.remove_writer)


async def _ready(descriptor: int, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
    seen = asyncio.Event()
    add(descriptor, seen.set)
    try:
        await seen.wait()
    finally:
        remove(descriptor)


def readable_now(descriptor: int) -> bool:
    """Return whether a read would not wait."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
