"""What is written in one turn of the event loop goes out in one piece."""

import asyncio
from contextlib import suppress
from typing import Any

LARGE = 64 * 1024
"""Bytes that are never held back."""


class Batch:
    """Stands in front of a transport, and lets no piece go out alone that others follow.

    asyncssh writes every packet by itself, and one before it that means nothing. Each
    would take a system call here and wake the server there.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Write this, after what was written before and before the loop's next turn."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size >= LARGE:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._size = 0
            with suppress(ConnectionError):  # its protocol hears of that, too
                self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
