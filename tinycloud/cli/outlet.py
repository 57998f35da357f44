"""All that a running command has to write, in order, in a thread: who takes it may be slow.

A terminal can be stopped, a pipe's reader can pause and a disk can stall; time limits,
keepalives and Ctrl-C must work all the same.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Self

Sink = Callable[[bytes], object]
"""Takes bytes; called in the thread of the outlet."""

ROOM = 1 << 20
"""Bytes that may wait to be written before the nodes have to."""

_JOB = 256
"""Bytes that a waiting piece counts for beside its own."""

LAST_WORDS = 1.0
"""Seconds that the thread gets to end in; if it can't, the process ends without it."""


class Outlet:
    """Writes what it is given in order, and makes who gives too much wait.

    The first error that a sink raises is raised to whoever writes next; all else that
    waits is dropped then. Lifecycle: entering the block starts the thread.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Sink, bytes] | None] = queue.SimpleQueue()
        self._given = self._done = 0
        self._problem: Exception | None = None
        self._news = asyncio.Event()
        self._bound: int | None = None
        # Not one of the loop's own threads: those are waited for at exit.
        self._thread = threading.Thread(target=self._work, daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._jobs.put(None)
        self._thread.join(LAST_WORDS)

    @property
    def is_idle(self) -> bool:
        """Whether all is written."""
        return self._done == self._given

    @property
    def is_last(self) -> bool:
        """Whether nothing waits to be written but what is being written."""
        return self._jobs.empty()

    async def put(self, sink: Sink, data: bytes) -> None:
        """Have `data` written, and wait while too much else still waits."""
        self.put_nowait(sink, data)
        await self._until(ROOM)

    def put_nowait(self, sink: Sink, data: bytes) -> None:
        """Have `data` written; for what is short."""
        self._given += len(data) + _JOB
        self._jobs.put((sink, data))

    async def flush(self) -> None:
        """Wait until all is written; raise what went wrong."""
        await self._until(0)

    async def _until(self, bound: int) -> None:
        """Wait until no more than so many bytes wait."""
        while self._given - self._done > bound and self._problem is None:
            self._news.clear()
            self._bound = bound
            if self._given - self._done > bound:
                await self._news.wait()
        self._bound = None
        if self._problem is not None:
            raise self._problem

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            sink, data = job
            if self._problem is None:
                try:
                    sink(data)
                except Exception as problem:
                    self._problem = problem
            self._done += len(data) + _JOB
            bound = self._bound
            if bound is not None and (self._problem or self._given - self._done <= bound):
                self._tell()

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return
