"""Wait for what must come to be true, without guessing how long it takes."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 15.0
INTERVAL = 0.02
STILL = 0.4


def eventually(holds: Callable[[], object]) -> None:
    """Wait until this is true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to be true"
        time.sleep(INTERVAL)


async def appears(path: Path) -> None:
    """Wait until this is there, while others work."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():  # noqa: ASYNC240 - a file system tells nobody
        assert time.monotonic() < deadline, "it never appeared"
        await asyncio.sleep(INTERVAL / 4)


def gone(path: Path) -> bool:
    """Return whether there is nothing of this name."""
    return not path.exists()


def settled(look: Callable[[], T]) -> T:
    """Return what `look` sees once it sees the same for a while."""
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < STILL:
        time.sleep(INTERVAL)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()
    return seen
