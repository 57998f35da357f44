"""One node's own way: it has an address, SSH answers and is proven, setup is done."""

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..driver import Group
from ..errors import CommandFailed, Unreachable
from ..node import Node
from ..ssh.connection import Connection
from ..ssh.leash import checked_command
from ..text import printable
from .lifetime import SET_LIFE
from .root import as_root
from .roster import Roster
from .rotation import Rotation
from .session import Session
from .step import Stage, Step
from .terms import Terms
from .variables import whereabouts

# `setup` runs once on each node: a file in the user's home says that it did.
_ONCE = '[ -e "$HOME/.tinycloud-setup" ] || {{ /bin/sh -c {} && : >"$HOME/.tinycloud-setup"; }}'
_KEPT = 2000


def checked_setup(group: Group) -> None:
    """Raise `InvalidInput` if SSH can't carry the group's setup script."""
    if group.setup is not None:
        fix = "have the setup script fetch what is long, or execute it after the launch"
        checked_command(_setup_command(group.setup), fix=fix)


def _setup_command(script: str) -> str:
    return _ONCE.format(shlex.quote(script))


@dataclass(frozen=True, slots=True, kw_only=True)
class BringUp:
    """What it takes to bring a node of these groups up, with the private key `key`."""

    cluster: str
    groups: tuple[Group, ...]
    session: Session
    key: bytes = field(repr=False)
    terms: Terms

    async def node(self, group: Group, roster: Roster, index: int, arming: str = "") -> Node:
        """Return the node once it is ready; raise a `TinycloudError` if it never will be.

        `arming` is the script by which it learns how long it has to live.
        """

        async def alive() -> None:
            await roster.refresh()
            roster.alive(index)

        node = await roster.addressed(index, self.terms.deadline)
        self.terms.report(Step(Stage.STARTED, node.name, f"{node.address} port {node.port}"))
        try:
            connection = await self._connected(group, node, alive)
        except Unreachable as error:
            raise await self.session.reach.explained(node, error) from error
        self.terms.report(Step(Stage.CONNECTED, node.name))
        if arming:
            left = max(1.0, self.terms.deadline - time.monotonic())
            await as_root(connection, arming, what=SET_LIFE, timeout=left)
        if group.setup:
            await self._set_up(connection, node, group.setup)
        self.terms.report(Step(Stage.READY, node.name))
        return node

    async def _connected(
        self, group: Group, node: Node, alive: Callable[[], Awaitable[None]]
    ) -> Connection:
        try:
            async with asyncio.timeout(self.terms.deadline - time.monotonic()):
                if not group.driver.makes_machines:  # nobody boots it: it answers now, or not
                    return await self.session.connections.get(
                        node, self.key, accept_new=self.terms.accept_new
                    )
                if group.driver.plants_host_keys:
                    return await self._rotation().connection(node, alive)
                return await self.session.connections.get_booting(
                    node,
                    self.key,
                    deadline=self.terms.deadline,
                    alive=alive,
                    accept_new=self.terms.accept_new,
                )
        except TimeoutError as error:
            raise Unreachable(
                f"can't reach {node.name} at {node.address} port {node.port}",
                cause="no login before the time for the launch was over",
                fix="look at the machine, or launch again with a longer timeout",
                transient=True,
            ) from error

    def _rotation(self) -> Rotation:
        return Rotation(
            connections=self.session.connections,
            trust=self.session.trust,
            key=self.key,
            deadline=self.terms.deadline,
        )

    async def _set_up(self, connection: Connection, node: Node, script: str) -> None:
        last = b""

        async def emit(stream: str, data: bytes) -> None:
            nonlocal last
            last = (last + data)[-_KEPT:]

        ending = await connection.run(
            _setup_command(script),
            emit=emit,
            variables=self._variables(node),
            timeout=max(1.0, self.terms.deadline - time.monotonic()),
        )
        if ending.exit_status != 0:
            lines = last.decode(errors="backslashreplace").strip().splitlines()
            raise CommandFailed(
                f"the setup script failed on {node.name}",
                cause=f"{ending.error}{': ' if lines else ''}{printable(''.join(lines[-1:]))}",
                fix="mend the script and launch again",
                results=(),
            )

    def _variables(self, node: Node) -> dict[str, str]:
        """Return what a node knows before the others have come up."""
        sizes = [group.count for group in self.groups]
        before = sizes[: [group.tag for group in self.groups].index(node.tag)]
        rank, count = sum(before) + node.index, sum(sizes)
        return whereabouts(self.cluster, node, rank=rank, count=count)
