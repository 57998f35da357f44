"""A server that falls silent, while the connection to it lives on."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ...fanout import insistently

PATIENCE = 120.0
"""Seconds without an answer to anything until a server is taken for one that gives none.
A slow link may take as long for one block, but then others arrive before it."""

R = TypeVar("R")


class Silence:
    """Ends what waits for one server, once that has answered none of it for `PATIENCE`."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Timeout] = set()
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._fell = False

    async def broken(self, request: Awaitable[R]) -> R:
        """Return the answer to a request; raise `TimeoutError` if the server is silent."""
        try:
            async with asyncio.timeout(0 if self._fell else None) as clock:
                if not self._waiting:
                    self._hear()
                self._waiting.add(clock)
                try:
                    answer = await insistently(request)
                finally:
                    self._waiting.discard(clock)
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise TimeoutError(f"it gave no answer for {PATIENCE:g} s") from error
        self._hear()
        return answer

    def _hear(self) -> None:
        self._heard = asyncio.get_running_loop().time()
        if self._timer is None:
            self._check()

    def _check(self) -> None:
        """Look again when it may have been silent for too long, as long as anybody waits."""
        loop = asyncio.get_running_loop()
        until = self._heard + PATIENCE
        self._timer = None
        if until > loop.time():
            self._timer = loop.call_at(until, self._check)
        elif self._waiting:
            self._fell = True
            for clock in self._waiting:
                clock.reschedule(until)

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
