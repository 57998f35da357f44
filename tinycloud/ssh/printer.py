"""Our standard output and error, written in a thread: a terminal may be stopped at any time."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Protocol, Self

from . import terminal

FULL = 64 * 1024
"""Bytes that may wait for the terminal before the node has to."""

LAST_WORDS = 1.0
"""Seconds that a terminal gets to take the last of it when we are called away."""


class _Pace(Protocol):
    def __call__(self, *, full: bool) -> None:
        """Take note of whether so much waits that no more should come."""


class Printer:
    """Prints in order, and never makes the event loop wait.

    `pace` is told when too much waits and when it does not any more, `fail` when
    nobody reads what we print; from then on all is dropped.
    """

    def __init__(self, pace: _Pace, fail: Callable[[OSError], None]) -> None:
        self._pace = pace
        self._fail = fail
        self._queue: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._full = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._loop = asyncio.get_running_loop()
        # Not one of the loop's own threads: those are waited for at exit.
        self._thread = threading.Thread(target=self._print, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join(LAST_WORDS)

    def put(self, descriptor: int, data: bytes) -> None:
        """Print `data`, after what was put before."""
        if data and terminal.is_open(descriptor):
            self._waiting += len(data)
            self._empty.clear()
            self._queue.put((descriptor, data))
            self._tell()

    async def flush(self) -> None:
        """Wait until all is printed."""
        await self._empty.wait()

    def _print(self) -> None:
        failed = False
        while (item := self._queue.get()) is not None:
            descriptor, data = item
            try:
                if not failed:
                    terminal.write(descriptor, data)
            except OSError as error:
                failed = True
                self._call(self._fail, error)
            self._call(self._printed, len(data))

    def _call(self, function: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop is closed: nobody wants to know any more
            return

    def _printed(self, size: int) -> None:
        self._waiting -= size
        if not self._waiting:
            self._empty.set()
        self._tell()

    def _tell(self) -> None:
        full = self._waiting >= FULL
        if full is not self._full:
            self._full = full
            self._pace(full=full)
