"""The connections of one cluster: opened in two windows, kept warm, closed together."""

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self

from ..errors import TinycloudError, Unreachable
from ..fanout import fan_out
from ..node import Node
from .bastion import Bastion, Hop, Route, behind, straight
from .connection import Connection
from .dial import Dialer, Dropped
from .patience import Patience

HANDSHAKES = 64
"""Handshakes under way at once: they are work for this machine's processor."""

HANDSHAKES_PER_SERVER = 8
"""Of those, to one server address: sshd drops what comes past its `MaxStartups` (10)."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts to reach a node that may still be booting."""

_Link = tuple[str, str | None, int, bytes]
"""What a kept connection is good for: a machine, where it was, and the key that opened it."""

_Server = tuple[str | None, int, str | None]
"""An address and port, and the bastion that it is behind."""


_Connect = Callable[..., Awaitable[tuple[Connection, str]]]
"""Opens a connection, and returns it with the host key that was proven."""


class Connections:
    """Opens connections on demand and keeps one for each node and login key.

    `pinned` gives the host key that a node must prove, None if none is known;
    `proven` is told each one that it did prove. `route` gives the way to a node, and
    the key that really is for it, where one was asked for; `certified_name` what its
    certificate must be made out to, if not to its address. `explained` finds out more
    about why a node was not reached.
    """

    def __init__(
        self,
        *,
        pinned: Callable[[Node], str | None],
        proven: Callable[[Node, str], None],
        route: Callable[[Node, bytes], Route] = straight,
        certified_name: Callable[[Node], str | None] = lambda node: None,
        explained: Callable[[Node, Unreachable], Awaitable[Unreachable]] | None = None,
    ) -> None:
        self._pinned = pinned
        self._proven = proven
        self._route = route
        self._certified_name = certified_name
        self._explained = explained
        self._open: dict[_Link, Connection] = {}
        self._refused: dict[_Link, tuple[float, TinycloudError]] = {}
        self._turn: defaultdict[_Link, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._loading: asyncio.Future[_Connect] | None = None
        self._window = asyncio.Semaphore(HANDSHAKES)
        self._server_windows: defaultdict[_Server, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(HANDSHAKES_PER_SERVER)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        opened = self._open.values()
        last = [connection for connection in opened if isinstance(connection.node, Bastion)]
        first = [connection for connection in opened if connection not in last]
        for connections in (first, last):  # over a bastion they say goodbye, too
            await fan_out(lambda connection: connection.close(), connections)
        self._open.clear()

    async def get(
        self,
        node: Node,
        key: bytes,
        *,
        accept_new: bool = False,
        host_key: str | None = None,
    ) -> Connection:
        """Return a connection to `node`, opened with the private key `key` if there is none.

        `accept_new` takes whatever key a host shows of which none is known; it is then
        `proven`. A new connection is held to `host_key`, if that is given, not to what is
        pinned. Raises `Unreachable` or `Untrusted`.
        """
        try:
            return await self._got(node, key, accept_new=accept_new, host_key=host_key)
        except Unreachable as error:
            if self._explained is None:
                raise
            raise await self._explained(node, error) from error

    async def _got(
        self, node: Node, key: bytes, *, accept_new: bool, host_key: str | None
    ) -> Connection:
        route = self._route(node, key)
        link, asked = (node.id, node.address, node.port, route.key), time.monotonic()
        async with self._turn[link]:
            connection = self._open.get(link)
            if connection is not None and not connection.is_closed:
                return connection
            when, error = self._refused.get(link, (asked, None))
            if error is not None and when > asked:  # while we waited: once more is no use
                raise error
            try:
                connection = await self._connect(
                    node, route, accept_new=accept_new, host_key=host_key
                )
            except TinycloudError as refused:
                if isinstance(node, Bastion):  # many wait for it, each for a node of its own
                    self._refused[link] = time.monotonic(), refused
                raise
            self._open[link] = connection
        return connection

    async def get_booting(
        self,
        node: Node,
        key: bytes,
        *,
        deadline: float,
        alive: Callable[[], Awaitable[None]],
        accept_new: bool = False,
        host_key: str | None = None,
        keep: bool = True,
        settling: float = 0.0,
    ) -> Connection:
        """Return a connection to a node whose SSH server may still be coming up.

        Tries again until `deadline` (of `time.monotonic`) where nothing but time can
        mend the cause; between attempts awaits `alive`, which raises if the node is
        not running any more. For `settling` seconds after its server first answered, a
        node may refuse our key: who may log in is not settled yet. Unless the connection is
        to `keep`, it is a new one, for the caller to close. For the rest see `get`.
        """

        def attempt() -> Awaitable[Connection]:
            if keep:
                return self._got(node, key, accept_new=accept_new, host_key=host_key)
            route = self._route(node, key)
            return self._connect(node, route, accept_new=accept_new, host_key=host_key)

        pause, settled = FIRST_PAUSE, 0.0
        while True:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    return await attempt()
            except TimeoutError as error:
                raise Unreachable(
                    f"can't reach {node.name} at {node.address} port {node.port}",
                    cause="it was still being tried when the time was up",
                    fix="see that it runs, or give it more time",
                    transient=True,
                ) from error
            except Unreachable as error:
                refused = error.reason == "auth"
                if refused and not settled:
                    settled = time.monotonic() + settling
                end = min(settled, deadline) if refused else deadline
                if not (error.transient or refused) or time.monotonic() + pause > end:
                    raise
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            await alive()
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _connect(
        self, node: Node, route: Route, *, accept_new: bool, host_key: str | None
    ) -> Connection:
        """Open a connection; a server that hangs up before it greets us is asked again."""
        hop = route.hop
        server = node.address, node.port, hop.bastion.id if hop else None
        patience = Patience()
        while True:
            through = await self._over(node, hop, accept_new=accept_new) if hop else None
            try:
                async with self._server_windows[server], self._window, self._begun(node) as begun:
                    connect, dialer = begun
                    connection, proof = await connect(
                        node,
                        key=route.key,
                        host_key=self._pinned(node) if host_key is None else host_key,
                        accept_new=accept_new,
                        through=through,
                        dialer=dialer,
                        certified_name=self._certified_name(node),
                    )
                break
            except Dropped as error:
                await patience.wait(error)
            except Unreachable as error:
                if hop is None or through is None or not through.is_closed:
                    raise
                raise behind(node, hop, error) from error
        self._proven(node, proof)
        return connection

    @asynccontextmanager
    async def _begun(self, node: Node) -> AsyncIterator[tuple[_Connect, Dialer | None]]:
        """Yield what connects, and what has gone ahead to `node`.

        The first connection loads it, in a thread: that takes 0.2 s, in which others wait
        for us, and the servers have got to work already.
        """
        if _is_loaded():
            yield _load(), None
            return
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(None, _load)
        dialer = Dialer()
        try:
            await dialer.go_ahead(node.address or "", node.port)
            yield await asyncio.shield(self._loading), dialer
        finally:
            dialer.close()

    async def _over(self, node: Node, hop: Hop, *, accept_new: bool) -> Connection:
        """Return the connection to the bastion, which all nodes behind it share."""
        try:
            return await self._got(hop.bastion, hop.key, accept_new=accept_new, host_key=None)
        except TinycloudError as error:
            raise behind(node, hop, error) from error


def _is_loaded() -> bool:
    return hasattr(sys.modules.get(f"{__package__}.connect"), "connect")


def _load() -> _Connect:
    from .connect import connect

    return connect
