"""Wait for what must come to be true, without guessing how long it takes."""

import time
from collections.abc import Callable
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


def settled(look: Callable[[], T]) -> T:
    """Return what `look` sees once it sees the same for a while."""
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < STILL:
        time.sleep(INTERVAL)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()
    return seen
