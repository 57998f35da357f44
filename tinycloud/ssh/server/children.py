"""The one place where this process reaps its children."""

import asyncio
import os
import signal
from typing import Self


class Children:
    """Reaps every child of this process, adopted orphans too, and tells who waits for one.

    Only for a process that starts children in no other way, as it takes them all.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)

    def exit_of(self, pid: int) -> "asyncio.Future[int]":
        """Return a future with the wait status of a child that was started just now."""
        # No race: a child is reaped by the loop, and the loop is busy with our caller.
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[pid] = future
        return future

    def reap(self) -> bool:
        """Reap all that have ended; return whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._changed.set()
            future = self._waiting.pop(pid, None)
            if future is not None and not future.done():
                future.set_result(status)

    async def change(self, timeout: float) -> None:
        """Wait until a child ends, or for `timeout` seconds."""
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return
