"""A way to end commands early that leaves their results to be had."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Self

ENDED_EARLY = "ended early"
"""What is said of a command that ran when the call came."""


class Stop:
    """Ends the commands of each `execute` and `stream` that it is given to.

    Call it with the reason. What runs is ended on its node and has a result that says
    so, with all that was printed until then; what has not begun is `skipped`. It is for
    the event loop that runs them: other threads and plain signal handlers go through it.
    """

    def __init__(self) -> None:
        self.why: str | None = None
        self._heeding: set[asyncio.Timeout] = set()
        self._followers: set[Self] = set()

    def __call__(self, why: str = "stopped") -> None:
        if self.why is not None:
            return
        self.why = why
        for clock in self._heeding:
            clock.reschedule(asyncio.get_running_loop().time())
        for follower in self._followers:
            follower(why)

    @property
    def is_heeded(self) -> bool:
        """Whether there is anything under way that it would end."""
        return bool(self._heeding or self._followers)

    @contextmanager
    def followed(self) -> Iterator[Self]:
        """Have another for the block that comes with this one, but not the other way round."""
        follower = type(self)()
        if self.why is not None:
            follower(self.why)
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    @asynccontextmanager
    async def heeded(self) -> AsyncIterator[asyncio.Timeout]:
        """Break the block off when the call comes, by a `TimeoutError` as if time were up."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(None if self.why is None else loop.time()) as clock:
            self._heeding.add(clock)
            try:
                yield clock
            finally:
                self._heeding.discard(clock)
