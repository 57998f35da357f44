"""Bytes between a session's process and its channel, no faster than the other side takes them."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress

import asyncssh

from ..tap import Tap

CHUNK = 1 << 16
LOOK_AGAIN = 1.0
LAST_WORDS = 1 << 20
"""Bytes that one stream may still bring between the exit of its process and the report of it.

All that a pipe can hold; a child left behind in the background may go on for ever.
"""


class Outlet:
    """What the process writes to one descriptor, on its way to the channel."""

    def __init__(
        self,
        descriptor: int,
        channel: asyncssh.SSHServerChannel[bytes],
        *,
        datatype: int | None,
        moved: Callable[[], None],
    ) -> None:
        self._descriptor = descriptor
        self._channel = channel
        self._datatype = datatype
        self._moved = moved
        self._loop = asyncio.get_running_loop()
        self._allowance: int | None = None
        self.drained = False
        self.ended = False

    def open(self) -> None:
        """Go on reading."""
        if not self.ended:
            self._loop.add_reader(self._descriptor, self.carry)

    def shut(self) -> None:
        """Stop reading for now."""
        if not self.ended:
            self._loop.remove_reader(self._descriptor)

    def expect_the_end(self) -> None:
        """Note that the process has exited: what there is now is the last of it."""
        self.drained = self.ended
        self._allowance = LAST_WORDS

    def carry(self) -> None:
        """Take what there is to the channel."""
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            self.drained = self._allowance is not None
        except OSError:  # so Linux says that nobody has the terminal open any more
            self.close()
        else:
            self._take(data)
        self._moved()

    def _take(self, data: bytes) -> None:
        if not data:
            self.close()
            return
        with suppress(BrokenPipeError):  # the client has closed the channel: we hear of it next
            self._channel.write(data, self._datatype)
        if self._allowance is not None:
            self._allowance -= len(data)
            self.drained = self._allowance <= 0

    def close(self) -> None:
        """Read no more; who writes gets SIGPIPE, or SIGHUP where it is a terminal."""
        if not self.ended:
            self.shut()
            os.close(self._descriptor)
            self.ended = self.drained = True


class Inlet:
    """What the client sends, on its way to the process's stdin."""

    def __init__(self, descriptor: int, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        self._descriptor = descriptor
        self._channel, self._tap = channel, Tap(channel)
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._full: asyncio.TimerHandle | None = None
        self._last = False
        self.closed = False

    def take(self, data: bytes) -> None:
        """Hand this to the process, at once or when it has room; what it can't get is dropped."""
        if not self.closed:
            self._waiting += data
            self._give()

    def finish(self) -> None:
        """Close stdin once all is handed over."""
        self._last = True
        if not self._waiting:
            self.close()

    def _give(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
        except BlockingIOError:
            self._wait()
        except OSError:  # nobody reads any more
            self.close()
        else:
            self._go_on()

    def _wait(self) -> None:
        if self._full is None:
            self._tap.shut()
            self._loop.add_writer(self._descriptor, self._give)
            self._full = self._loop.call_later(LOOK_AGAIN, self._look_after_client)

    def _look_after_client(self) -> None:
        """Notice a client that closes the channel, which asyncssh keeps from us while paused."""
        if self._channel.is_closing():
            self.close()
        else:
            self._full = self._loop.call_later(LOOK_AGAIN, self._look_after_client)

    def _go_on(self) -> None:
        if self._full is not None:
            self._full.cancel()
            self._full = None
            self._loop.remove_writer(self._descriptor)
            self._tap.open()
        if self._last and not self._waiting:
            self.close()

    def close(self) -> None:
        """Close stdin, and let the client go on sending into nowhere."""
        if not self.closed:
            self.closed = True
            self._waiting.clear()
            self._last = False
            self._go_on()
            os.close(self._descriptor)
