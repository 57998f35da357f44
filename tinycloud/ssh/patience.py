"""How long to go on asking a server that takes no more logins for now."""

import asyncio
import random
import time

from .dial import Dropped

PAUSE = (0.1, 0.3)
"""Seconds until the first further attempt: at random, so that not all come at once again."""

LONGEST_PAUSE = 3.0

TOLD, UNTOLD = 30.0, 10.0
"""Seconds in all: for a server that gave a reason, and for one that just hung up, which
may also be a port with nothing behind it."""


class Patience:
    """Waits between the attempts to reach one server, longer each time."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._tries = 0

    async def wait(self, error: Dropped) -> None:
        """Wait a while; raise `error` if that has gone on for long enough."""
        limit = TOLD if error.said else UNTOLD
        some = random.uniform(*PAUSE)  # noqa: S311 - no secret
        pause = min(2**self._tries * some, LONGEST_PAUSE)
        if time.monotonic() - self._begun + pause > limit:
            raise error
        self._tries += 1
        await asyncio.sleep(pause)
