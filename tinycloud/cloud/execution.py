"""One command on many nodes: every node ends in exactly one state."""

import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import CommandFailed, InvalidInput, TinycloudError, Unreachable, Untrusted
from ..fanout import Put, alongside, fan_out, stream_out
from ..node import Node, Status
from ..result import Output, Result, Results, State
from ..ssh.connection import Connection, Emit, Ending
from ..ssh.connections import Connections
from .broadcast import Broadcast, pieces
from .order import Order
from .rollout import Rollout
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
    """An order, and what it needs to get to the nodes.

    `variables` are those of each node, by its name, and `input` is for all of them.
    """

    cluster: str
    connections: Connections
    key: bytes = field(repr=False)
    order: Order
    input: bytes | Broadcast | None
    variables: Mapping[str, Mapping[str, str]]
    rollout: Rollout
    report: Report = ignore

    async def on_all(self, nodes: Sequence[Node], *, limit: int | None) -> Results:
        """Run the command on these nodes, and return the results with all that they printed."""
        found: list[Result] = []
        for batch in self._batches(nodes, limit):
            work = fan_out(self._kept, batch, limit=limit)
            pump = self._pump()
            found += await (alongside(work, pump()) if pump else work)
        return Results(found)

    async def events(
        self, nodes: Sequence[Node], *, limit: int | None
    ) -> AsyncGenerator[Output | Result, None]:
        """Run the command on these nodes; yield output as it comes, and each result."""
        for batch in self._batches(nodes, limit):
            stream = stream_out(self._passed_on, batch, limit=limit, beside=self._pump())
            async with aclosing(stream) as events:
                async for event in events:
                    yield event

    def _batches(self, nodes: Sequence[Node], limit: int | None) -> tuple[tuple[Node, ...], ...]:
        batches = self.rollout.policy.batches(nodes)
        at_once = min(len(nodes), limit or len(nodes), *(len(batch) for batch in batches))
        if isinstance(self.input, Broadcast) and at_once < len(nodes):
            raise InvalidInput(
                "nodes that share an input have to read it at the same time",
                fix="do without a limit and batches, or put the input on the nodes first",
            )
        return batches

    def _pump(self) -> Callable[[], Coroutine[Any, Any, None]] | None:
        return self.input.pump if isinstance(self.input, Broadcast) else None

    async def _kept(self, node: Node) -> Result:
        """Run the command on `node` and return how that ended, with all that it printed."""
        pieces: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

        async def keep(stream: str, data: bytes) -> None:
            pieces[stream].append(data)

        result = await self._on(node, keep)
        return replace(result, stdout=b"".join(pieces["stdout"]), stderr=b"".join(pieces["stderr"]))

    async def _passed_on(self, node: Node, put: Put[Output | Result]) -> None:
        """Run the command on `node`; put what it prints as it comes, and how it ended."""

        async def pass_on(stream: str, data: bytes) -> None:
            await put(Output(node=node, stream=stream, data=data))

        await put(await self._on(node, pass_on))

    async def _on(self, node: Node, emit: Emit) -> Result:
        begun = time.monotonic()
        try:
            ending = await self._ending(node, emit)
        finally:
            if isinstance(self.input, Broadcast):
                self.input.leave(node.name)
        result = Result(
            node=node,
            state=ending.state,
            exit_status=ending.exit_status,
            duration=time.monotonic() - begun,
            error=ending.error,
            confirmed=ending.confirmed,
        )
        self.rollout.note(result)
        return result

    async def _ending(self, node: Node, emit: Emit) -> Ending:
        try:
            async with self.rollout.stop.heeded() as clock:
                connection = await self._connection(node)
        except TimeoutError:
            if not clock.expired():
                raise
            connection = None
        except InvalidInput:  # a key that is none: it is so for all nodes
            raise
        except TinycloudError as error:
            self.report(Step(Stage.FAILED, node.name, str(error), error))
            return Ending(state=state_of(node, error), error=str(error))
        if connection is None:
            return Ending(state=State.SKIPPED, error=f"not tried: {self.rollout.objection()}")
        self.report(Step(Stage.CONNECTED, node.name))
        return await connection.run(
            self.order.what,
            emit=emit,
            variables=self.variables[node.name],
            timeout=self.order.timeout,
            sudo=self.order.sudo,
            input=self._input_of(node),
            stop=self.rollout.stop,
        )

    async def _connection(self, node: Node) -> Connection | None:
        """Return a connection to the node; None if it is not to begin any more."""
        if self.rollout.objection():
            return None
        check_reachable(node, self.cluster)
        connection = await self.connections.get(node, self.key)
        return None if self.rollout.objection() else connection

    def _input_of(self, node: Node) -> AsyncIterable[bytes] | None:
        if isinstance(self.input, Broadcast):
            return self.input.read(node.name)
        return None if self.input is None else pieces(self.input)


def state_of(node: Node, error: TinycloudError) -> State:
    """Return the state of a node that a command could not be given to because of `error`."""
    if isinstance(error, CommandFailed):
        return State.FAILED
    if node.status is Status.TERMINATED:
        return State.GONE
    return State.UNTRUSTED if isinstance(error, Untrusted) else State.UNREACHABLE
