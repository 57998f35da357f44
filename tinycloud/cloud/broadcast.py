"""One input for many nodes: read once, as fast as the slowest of them takes it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable

PIECE = 64 * 1024
"""Bytes that are handed on at once."""

AHEAD = 4 * 1024 * 1024
"""Bytes that the fastest node may be ahead of the slowest; memory holds no more."""


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """Yield `data` in pieces."""
    for begin in range(0, len(data), PIECE):
        yield data[begin : begin + PIECE]


class Broadcast:
    """Hands the same input to each of its readers, which all are there from the beginning."""

    def __init__(self, source: AsyncIterable[bytes], readers: Iterable[str]) -> None:
        self._source = source
        self._taken = dict.fromkeys(readers, 0)
        self._dropped = 0
        self._kept: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news = asyncio.Event()

    async def pump(self) -> None:
        """Read the source to its end, or until there are no readers any more."""
        async for data in self._source:
            async for piece in pieces(data):
                while self._size >= AHEAD and self._taken:
                    await self._changed()
                if not self._taken:
                    return
                self._kept.append(piece)
                self._size += len(piece)
                self._tell()
        self._ended = True
        self._tell()

    async def read(self, reader: str) -> AsyncIterator[bytes]:
        """Yield all of the input to one reader."""
        while True:
            place = self._taken[reader] - self._dropped
            if place < len(self._kept):
                piece = self._kept[place]
                self._taken[reader] += 1
                self._drop()
                yield piece
            elif self._ended:
                return
            else:
                await self._changed()

    def leave(self, reader: str) -> None:
        """Take note that a reader needs no more: nobody waits for it any longer."""
        self._taken.pop(reader, None)
        self._drop()
        self._tell()

    def _drop(self) -> None:
        """Forget what all readers have taken."""
        slowest = min(self._taken.values(), default=self._dropped + len(self._kept))
        if slowest == self._dropped:
            return
        while self._dropped < slowest:
            self._size -= len(self._kept.popleft())
            self._dropped += 1
        self._tell()

    async def _changed(self) -> None:
        await self._news.wait()

    def _tell(self) -> None:
        """Wake all who wait; what they wait for next is another event."""
        self._news.set()
        self._news = asyncio.Event()
