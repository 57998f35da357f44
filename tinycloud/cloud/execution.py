"""One command on many nodes: every node ends in exactly one state."""

import time
from dataclasses import dataclass, field, replace

from ..errors import CommandFailed, InvalidInput, TinycloudError, Unreachable, Untrusted
from ..fanout import Put
from ..node import Node, Status
from ..result import Output, Result, State
from ..ssh.connection import Connection, Emit, Ending
from ..ssh.connections import Connections
from .step import Report, Stage, Step, ignore


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
    connections: Connections
    key: bytes = field(repr=False)
    command: str
    timeout: float | None
    report: Report = ignore

    async def kept(self, node: Node) -> Result:
        """Run the command on `node` and return how that ended, with all that it printed."""
        pieces: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

        async def keep(stream: str, data: bytes) -> None:
            pieces[stream].append(data)

        result = await self._on(node, keep)
        return replace(result, stdout=b"".join(pieces["stdout"]), stderr=b"".join(pieces["stderr"]))

    async def passed_on(self, node: Node, put: Put[Output | Result]) -> None:
        """Run the command on `node`; put what it prints as it comes, and how it ended."""

        async def pass_on(stream: str, data: bytes) -> None:
            await put(Output(node=node, stream=stream, data=data))

        await put(await self._on(node, pass_on))

    async def _on(self, node: Node, emit: Emit) -> Result:
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
            connection: Connection = await self.connections.get(node, self.key)
        except InvalidInput:  # a key that is none: it is so for all nodes
            raise
        except TinycloudError as error:
            self.report(Step(Stage.FAILED, node.name, str(error), error))
            return Ending(state=state_of(node, error), error=str(error))
        self.report(Step(Stage.CONNECTED, node.name))
        return await connection.run(
            self.command,
            emit=emit,
            variables={"TINYCLOUD_CLUSTER": self.cluster, "TINYCLOUD_NODE": node.name},
            timeout=self.timeout,
        )


def state_of(node: Node, error: TinycloudError) -> State:
    """Return the state of a node that a command could not be given to because of `error`."""
    if isinstance(error, CommandFailed):
        return State.FAILED
    if node.status is Status.TERMINATED:
        return State.GONE
    return State.UNTRUSTED if isinstance(error, Untrusted) else State.UNREACHABLE
