"""One command on many nodes: every node ends in exactly one state."""

import time
from dataclasses import dataclass, field

from ..errors import TinycloudError, Unreachable, Untrusted
from ..node import Node, Status
from ..result import Result, State
from ..ssh.connection import Connection, Emit, Ending
from .session import Session


def check_reachable(node: Node, cluster: str) -> None:
    """Raise `Unreachable` if there is no use in trying to connect to `node`."""
    if node.status in (Status.RUNNING, Status.PENDING) and node.address:
        return
    gone = node.status is Status.TERMINATED
    raise Unreachable(
        f"{node.name} is {'gone' if gone else node.status}",
        cause="there is no such machine any more" if gone else "",
        fix=f"tinycloud {'launch' if gone else 'start'} {cluster}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A command, and what it needs to get to the nodes; `timeout` is in seconds."""

    cluster: str
    session: Session
    key: bytes = field(repr=False)
    command: str
    timeout: float | None

    async def on(self, node: Node, emit: Emit) -> Result:
        """Run the command on `node` and return how that ended, whatever happens to it."""
        begun = time.monotonic()
        ending = await self._ending(node, emit)
        return Result(
            node=node,
            state=ending.state,
            exit_status=ending.exit_status,
            duration=time.monotonic() - begun,
            error=ending.error,
        )

    async def _ending(self, node: Node, emit: Emit) -> Ending:
        try:
            check_reachable(node, self.cluster)
            connection: Connection = await self.session.connections.get(node, self.key)
        except TinycloudError as error:
            return Ending(state=_state(node, error), error=str(error))
        return await connection.run(
            self.command,
            emit=emit,
            variables={"TINYCLOUD_CLUSTER": self.cluster, "TINYCLOUD_NODE": node.name},
            timeout=self.timeout,
        )


def _state(node: Node, error: TinycloudError) -> State:
    if node.status is Status.TERMINATED:
        return State.GONE
    return State.UNTRUSTED if isinstance(error, Untrusted) else State.UNREACHABLE
