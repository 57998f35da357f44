"""The first login of a node whose host key was planted: it makes a key that nobody else had."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..errors import Untrusted
from ..node import Node
from ..ssh.connection import Connection
from ..ssh.connections import Connections
from . import hostkey
from .root import as_root
from .trust import Trust

SWITCH_TIMEOUT, LOOK_AGAIN = 15.0, 0.2
"""Seconds that an sshd has to show its new key, and between two looks at that."""


SETTLING = 60.0
"""Seconds for which a machine that answers may refuse our key: at first systemd lets nobody
in but root (pam_nologin), and cloud-init may be about to make the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Replaces planted host keys; `key` is the private key that logs in and that vouches.

    It can die anywhere: a node shows either the planted key or a certificate, and both
    are good for a launch. A key is pinned once the node has proven it.
    """

    connections: Connections
    trust: Trust
    key: bytes = field(repr=False)
    deadline: float

    async def connection(self, node: Node, alive: Callable[[], Awaitable[None]]) -> Connection:
        """Return a connection to the node, which has proven a key of its own by then."""
        planted = self.trust.planted(node)
        if planted is not None:
            first = await self._booting(node, alive, host_key=planted, keep=False)
            try:
                if self.trust.planted(node) is not None:
                    return await self._replaced(first, node, alive)
            finally:
                await first.close()
        return await self._booting(node, alive)

    async def _booting(
        self,
        node: Node,
        alive: Callable[[], Awaitable[None]],
        *,
        host_key: str | None = None,
        keep: bool = True,
    ) -> Connection:
        return await self.connections.get_booting(
            node,
            self.key,
            deadline=self.deadline,
            alive=alive,
            host_key=host_key,
            keep=keep,
            settling=SETTLING,
        )

    async def _replaced(
        self, first: Connection, node: Node, alive: Callable[[], Awaitable[None]]
    ) -> Connection:
        # Loaded where it is needed: who lists and destroys does without asyncssh.
        from ..ssh.certificate import host_certificate

        left = max(1.0, self.deadline - time.monotonic())
        own = await as_root(first, hostkey.making(), what="make a host key", timeout=left)
        certificate = host_certificate(self.key, own.strip(), node.id)
        plain = [line for line in (node.host_key or "").splitlines() if line[:1] != "@"]
        planted = " ".join("".join(plain[:1]).split()[:2])
        script = hostkey.showing(certificate, planted)
        await as_root(first, script, what="put a host key in place", timeout=left)
        return await self._switched(node, own.strip(), alive)

    async def _switched(
        self, node: Node, own: str, alive: Callable[[], Awaitable[None]]
    ) -> Connection:
        """Return a connection on which the node has proven its own key."""
        end = min(self.deadline, time.monotonic() + SWITCH_TIMEOUT)
        while True:
            try:
                return await self._booting(node, alive, host_key=own)
            except Untrusted:  # an sshd that has not noticed yet
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(LOOK_AGAIN)
