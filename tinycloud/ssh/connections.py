"""The connections of one cluster: opened in two windows, kept warm, closed together."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from ..errors import Unreachable
from ..fanout import fan_out
from ..node import Node
from .connection import Connection

HANDSHAKES = 64
"""Handshakes under way at once: they are work for this machine's processor."""

HANDSHAKES_PER_SERVER = 8
"""Of those, to one server address: sshd drops what comes past its `MaxStartups` (10)."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts to reach a node that may still be booting."""

_Link = tuple[str, str | None, int, bytes]
"""What a kept connection is good for: a machine, where it was, and the key that opened it."""


class Connections:
    """Opens connections on demand and keeps one for each node and login key.

    `pinned` gives the host key that a node must prove, None if none is known;
    `proven` is told each one that it did prove.
    """

    def __init__(
        self, *, pinned: Callable[[Node], str | None], proven: Callable[[Node, str], None]
    ) -> None:
        self._pinned = pinned
        self._proven = proven
        self._open: dict[_Link, Connection] = {}
        self._turn: defaultdict[_Link, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._window = asyncio.Semaphore(HANDSHAKES)
        self._server_windows: defaultdict[tuple[str | None, int], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(HANDSHAKES_PER_SERVER)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await fan_out(lambda connection: connection.close(), self._open.values())
        self._open.clear()

    async def get(self, node: Node, key: bytes) -> Connection:
        """Return a connection to `node`, opened with the private key `key` if there is none.

        Raises `Unreachable` or `Untrusted`.
        """
        link = node.id, node.address, node.port, key
        async with self._turn[link]:
            connection = self._open.get(link)
            if connection is None or connection.is_closed:
                connection = self._open[link] = await self._connect(node, key)
        return connection

    async def get_booting(
        self, node: Node, key: bytes, *, deadline: float, alive: Callable[[], Awaitable[None]]
    ) -> Connection:
        """Return a connection to a node whose SSH server may still be coming up.

        Tries again until `deadline` (of `time.monotonic`) where nothing but time can
        mend the cause; between attempts awaits `alive`, which raises if the node is
        not running any more.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return await self.get(node, key)
            except Unreachable as error:
                if not error.transient or time.monotonic() + pause > deadline:
                    raise
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            await alive()
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _connect(self, node: Node, key: bytes) -> Connection:
        # Loaded with the first connection, in a thread: it takes 0.3 s, and others wait for us.
        connect = await asyncio.to_thread(_load)
        async with self._server_windows[node.address, node.port], self._window:
            connection, host_key = await connect(node, key=key, host_key=self._pinned(node))
        self._proven(node, host_key)
        return connection


def _load() -> Callable[..., Awaitable[tuple[Connection, str]]]:
    from .connect import connect

    return connect
