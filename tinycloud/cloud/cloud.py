"""The controller of one cluster."""

import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ..driver import Group
from ..errors import ClusterExists, ConnectionLost, InvalidInput, NoSuchCluster, ResourcesRemain
from ..fanout import Put, fan_out, stream_out
from ..group import GroupSpec, checked_name
from ..node import Node, Status
from ..result import Output, Result, Results, State
from ..ssh.leash import checked_command
from ..store import ClusterFolder, Record
from . import plan
from .bringup import BringUp
from .destroy import destroy_group
from .execution import Execution, check_reachable
from .keyfile import read_key_file
from .launch import Launch
from .roster import as_error
from .session import Session
from .step import Report, ignore

LAUNCH_TIMEOUT = 600.0
"""Seconds that a launch may take until every node has answered."""


class Cloud:
    """One cluster: launch it, look at it, log in, run commands on it, destroy it.

    `groups` say what it is made of and `name` what it is called; `authorize` are
    further OpenSSH public key lines that new nodes accept. Making a Cloud touches
    nothing.

    Lifecycle: `async with cloud:` opens the drivers' clients and keeps connections
    warm until the block is left. It never destroys nodes. Each verb also works
    without the block, and then opens and closes what it needs.
    """

    def __init__(
        self, groups: Iterable[Group], *, name: str, authorize: Sequence[str] = ()
    ) -> None:
        self.name = checked_name(name)
        self.groups = plan.checked_groups(groups)
        self.authorize = tuple(authorize)
        self._folder = ClusterFolder(name)
        self._opened: Session | None = None

    def __repr__(self) -> str:
        sizes = ", ".join(f"{group.tag} x {group.count}" for group in self.groups)
        return f"<Cloud {self.name!r}: {sizes}{', open' if self._opened else ''}>"

    async def __aenter__(self) -> Self:
        if self._opened is not None:
            raise InvalidInput(f"cloud '{self.name}' is open already", fix="enter the block once")
        self._opened = await Session(self.groups, self._folder).__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        if self._opened is not None:
            yield self._opened
        else:
            async with Session(self.groups, self._folder) as session:
                yield session

    async def launch(
        self,
        wait: bool = True,
        *,
        minimum: int | None = None,
        timeout: float = LAUNCH_TIMEOUT,
        report: Report = ignore,
    ) -> dict[str, tuple[Node, ...]]:
        """Make the cluster whole, and return its nodes by tag, in group order.

        What runs is left alone, what is stopped is started, what is missing is made;
        nothing is ever removed for being too much. With `wait` every node has
        answered over SSH and run its setup script when this returns. All or nothing:
        on failure or cancellation, what this launch created is destroyed. `minimum`
        accepts fewer: so many nodes of each group (all of a smaller one) are enough,
        and those that failed are destroyed. `timeout` is in seconds; `report` is told
        of each step.

        Raises `LaunchFailed`, which holds what happened to each node; `ClusterBusy`,
        `ClusterExists`, `ProviderError`, `InvalidInput`; `ResourcesRemain` if what a
        failed launch created could not be destroyed.
        """
        fresh = not self._folder.exists()
        with self._folder.locked():
            record = self._checked_record()
            async with self._session() as session:
                launch = self._launch(session, record, time.monotonic() + timeout, report)
                launch.fresh, launch.wait, launch.minimum = fresh, wait, minimum
                return await launch.run()

    async def start(
        self, *, timeout: float = LAUNCH_TIMEOUT, report: Report = ignore
    ) -> tuple[Node, ...]:
        """Start what is stopped, make what is missing, and return the nodes.

        As `launch`, but only for a cluster that exists, and nothing is taken back.
        Raises `NoSuchCluster`, and what `launch` raises.
        """
        await self._check_exists()
        with self._folder.locked():
            record = self._checked_record()
            async with self._session() as session:
                launch = self._launch(session, record, time.monotonic() + timeout, report)
                launch.all_or_nothing = False
                nodes = await launch.run()
        return tuple(node for group in nodes.values() for node in group)

    def _launch(
        self, session: Session, record: Record | None, deadline: float, report: Report
    ) -> Launch:
        key = self._folder.make_login_key()
        return Launch(
            groups=self.groups,
            specs={g.tag: self._spec(g, (key.public, *self.authorize)) for g in self.groups},
            folder=self._folder,
            record=record,
            bring_up=BringUp(
                cluster=self.name,
                connections=session.connections,
                key=key.private,
                deadline=deadline,
                report=report,
            ),
        )

    def _spec(self, group: Group, keys: tuple[str, ...] = ()) -> GroupSpec:
        return GroupSpec(
            cluster=self.name,
            tag=group.tag,
            count=group.count,
            authorized_keys=keys,
            ttl=group.ttl,
            setup=group.setup,
        )

    def _checked_record(self) -> Record | None:
        """Return the record; raise `ClusterExists` if it is of other drivers."""
        record = self._folder.record()
        other = plan.clash(record.groups, self.groups) if record else None
        if other is not None:
            raise ClusterExists(
                f"cluster '{self.name}' exists already",
                cause=f"its group '{other.tag}' is of driver '{other.driver}'",
                fix=f"take another name, or 'tinycloud destroy {self.name}' first",
            )
        return record

    async def list(self, tag: str | None = None) -> tuple[Node, ...]:
        """Return the nodes that exist, ordered by group, then index."""
        async with self._session():
            found = await fan_out(self._list_group, self.groups)
        nodes = tuple(node for group in found for node in group)
        return plan.chosen(nodes, self.groups, tag, None)

    async def _list_group(self, group: Group) -> tuple[Node, ...]:
        try:
            return await group.driver.list(self._spec(group))
        except Exception as error:
            raise as_error(error, f"can't list group '{group.tag}'") from error

    async def status(self, tag: str | None = None) -> dict[str, Status]:
        """Return the status of each node by name; `terminated` where one should be and is not."""
        nodes = plan.chosen(await self._expected(), self.groups, tag, None)
        return {node.name: node.status for node in nodes}

    async def _expected(self) -> tuple[Node, ...]:
        """Return the nodes that there are, and those that the record says there should be."""
        record = self._folder.record()
        recorded = {group.tag: group for group in record.groups} if record else {}
        nodes = await self.list()
        return tuple(
            node
            for group in self.groups
            for node in plan.expected(
                group,
                recorded.get(group.tag),
                [node for node in nodes if node.tag == group.tag],
            )
        )

    async def _check_exists(self) -> None:
        if self._folder.record() is None and not await self.list():
            raise NoSuchCluster(
                f"no cluster '{self.name}'",
                fix="'tinycloud list' shows those that are known here",
            )

    async def stop(self) -> tuple[Node, ...]:
        """Stop all nodes, and return them; they keep index, disk and identity.

        Raises `NoSuchCluster`, `ClusterBusy` and, when every group has been asked to
        stop, the first `ProviderError`.
        """
        await self._check_exists()

        async def stop(group: Group) -> Exception | None:
            try:
                await group.driver.stop(self._spec(group))
            except Exception as error:
                return as_error(error, f"can't stop group '{group.tag}'")
            return None

        with self._folder.locked():
            async with self._session():
                errors = await fan_out(stop, self.groups)
                for error in errors:
                    if error is not None:
                        raise error
                return await self.list()

    async def destroy(self) -> Results:
        """Destroy the cluster and forget it; return one result for each node that it had.

        Goes on past failures. Done twice, it is done once. Raises `ResourcesRemain`
        if anything is left, naming it and the command that removes it; the cluster is
        then still known.
        """
        with self._folder.locked():
            record = self._folder.record()
            async with self._session():
                ends = await fan_out(lambda g: destroy_group(g, self._spec(g)), self.groups)
            remaining = tuple(name for end in ends for name in end.remaining)
            if remaining:
                raise ResourcesRemain(
                    f"still there: {', '.join(remaining)}",
                    cause="; ".join(str(end.error) for end in ends if end.error),
                    fix=f"tinycloud destroy {self.name}",
                    remaining=remaining,
                )
            others = plan.without(record.groups if record else (), [g.tag for g in self.groups])
            if record is not None and others:
                self._folder.write_record(replace(record, groups=others))
            else:
                self._folder.remove()
        return Results(result for end in ends for result in end.results)

    async def execute(
        self,
        command: str,
        *,
        tag: str | None = None,
        index: int | Collection[int] | None = None,
        keyfile: str | Path | None = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> Results:
        """Run a shell command on all nodes at once, or on those chosen; return the results.

        Never raises because a command failed: that is a value, and `.check()` raises.
        All output is kept in memory: where that may be too much, use `stream`.
        `keyfile` is a private key to use instead of the cluster's own, `timeout` in
        seconds per node, `limit` how many nodes may be at work at once.

        Raises `InvalidInput`, `NoSuchCluster`, and `ProviderError` if the nodes can't
        be listed.
        """
        nodes = await self._targets(tag, index)

        async def on(node: Node) -> Result:
            kept: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

            async def keep(stream: str, data: bytes) -> None:
                kept[stream].append(data)

            result = await execution.on(node, keep)
            out, err = b"".join(kept["stdout"]), b"".join(kept["stderr"])
            return replace(result, stdout=out, stderr=err)

        async with self._session() as session:
            execution = self._execution(session, command, keyfile, timeout)
            return Results(await fan_out(on, nodes, limit=limit))

    async def stream(
        self,
        command: str,
        *,
        tag: str | None = None,
        index: int | Collection[int] | None = None,
        keyfile: str | Path | None = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[Output | Result, None]:
        """Run a shell command as `execute` does; yield output as it comes, and each result.

        Memory stays bounded whatever the nodes print: who reads slowly slows them. A
        result comes after all of its node's output and holds none. When the reader
        stops early (`contextlib.aclosing` says when), the commands are ended.
        """
        nodes = await self._targets(tag, index)

        async def on(node: Node, put: Put[Output | Result]) -> None:
            async def pass_on(stream: str, data: bytes) -> None:
                await put(Output(node=node, stream=stream, data=data))

            await put(await execution.on(node, pass_on))

        async with self._session() as session:
            execution = self._execution(session, command, keyfile, timeout)
            async with aclosing(stream_out(on, nodes, limit=limit)) as events:
                async for event in events:
                    yield event

    async def _targets(
        self, tag: str | None, index: int | Collection[int] | None
    ) -> tuple[Node, ...]:
        await self._check_exists()
        indices = (index,) if isinstance(index, int) else index
        return plan.chosen(await self._expected(), self.groups, tag, indices)

    def _execution(
        self, session: Session, command: str, keyfile: str | Path | None, timeout: float | None
    ) -> Execution:
        return Execution(
            cluster=self.name,
            session=session,
            key=self._key(keyfile),
            command=checked_command(command),
            timeout=timeout,
        )

    def _key(self, keyfile: str | Path | None) -> bytes:
        if keyfile is not None:
            return read_key_file(Path(keyfile))
        key = self._folder.login_key()
        if key is None:
            raise InvalidInput(
                f"the login key of cluster '{self.name}' is not on this machine",
                fix="pass the file of a key that its nodes accept (-i)",
            )
        return key.private

    async def login(
        self, *, tag: str | None = None, index: int = 0, keyfile: str | Path | None = None
    ) -> int:
        """Give this process's terminal to a shell on one node; return its exit status.

        The first group's first node by default. A shell killed by a signal gives
        128 + its number, as in a shell. Raises `Unreachable`, `Untrusted`, and
        `ConnectionLost` if the node dies; the terminal is put back in any case.
        """
        (node,) = await self._targets(self.groups[0].tag if tag is None else tag, index)
        check_reachable(node, self.name)
        async with self._session() as session:
            connection = await session.connections.get(node, self._key(keyfile))
            ending = await connection.shell()
        if ending.state is State.LOST:
            raise ConnectionLost(
                f"lost {node.name}", cause=ending.error or "", fix=f"tinycloud status {self.name}"
            )
        if ending.signal is not None:
            return 128 + getattr(signal, f"SIG{ending.signal}", 127)
        return ending.exit_status or 0
