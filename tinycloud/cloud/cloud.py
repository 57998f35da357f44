"""The controller of one cluster."""

import signal
import time
import uuid
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ..driver import Group
from ..errors import ClusterExists, ConnectionLost, InvalidInput, TinycloudError
from ..fanout import fan_out, to_the_end
from ..group import GroupSpec, checked_name
from ..node import Node, Status
from ..result import Output, Result, Results, State
from ..ssh.connection import Connection, Transfer
from ..ssh.files.progress import Report as TransferReport
from ..ssh.files.progress import ignore as ignore_progress
from ..ssh.files.target import remote_path
from ..ssh.stop import Stop
from ..store import ClusterFolder, Record
from . import plan
from .access import Access
from .bringup import checked_setup
from .choice import Choice
from .destroy import destroy_group
from .execution import Execution, check_reachable
from .failure import still_there
from .foreign import asking
from .forwarding import LOOPBACK, checked_listen, checked_target, tunnel
from .inventory import Inventory
from .keyfile import read_key_file
from .launch import Launch
from .lifetime import Extension, deadline, mortal
from .order import Input, Order, ordered
from .policy import Amount, Policy
from .rollout import Rollout
from .session import Session
from .step import Report, Stage, Step, ignore
from .terms import Terms
from .transfer import Local, Moving, getting, loaded, putting
from .variables import variables

LAUNCH_TIMEOUT = 600.0
"""Seconds that a launch may take until every node has answered."""


class Cloud:
    """One cluster: launch it, look at it, log in, run commands on it, destroy it.

    `groups` say what it is made of and `name` what it is called; `authorize` are
    further OpenSSH public key lines that new nodes accept. `keyfile` is the private key
    for machines that exist already and for bastions, by default the user's usual one;
    machines that are made accept the cluster's own. Making a Cloud touches nothing.

    Lifecycle: `async with cloud:` opens the drivers' clients and keeps connections
    warm until the block is left. It never destroys nodes. Each verb also works
    without the block, and then opens and closes what it needs.
    """

    def __init__(
        self,
        groups: Iterable[Group],
        *,
        name: str,
        authorize: Sequence[str] = (),
        keyfile: str | Path | None = None,
    ) -> None:
        self.name = checked_name(name)
        self.groups = plan.checked_groups(groups)
        self.authorize = tuple(authorize)
        self.keyfile = None if keyfile is None else Path(keyfile).expanduser().absolute()
        self._folder = ClusterFolder(name)
        self._access = Access(self.groups, self._folder, self.keyfile)
        self._inventory = Inventory(self.groups, self._folder)
        self._opened: Session | None = None
        self._entered = False

    def __repr__(self) -> str:
        sizes = ", ".join(f"{group.tag} x {group.count}" for group in self.groups)
        return f"<Cloud {self.name!r}: {sizes}{', open' if self._opened else ''}>"

    async def __aenter__(self) -> Self:
        if self._entered:
            raise InvalidInput(f"cloud '{self.name}' is open already", fix="enter the block once")
        self._entered = True
        try:
            self._opened = await Session(self.groups, self._folder, self._access).__aenter__()
        except BaseException:
            self._entered = False
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened, self._opened, self._entered = self._opened, None, False
        if opened is not None:
            await opened.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        if self._opened is not None:
            yield self._opened
        else:
            async with Session(self.groups, self._folder, self._access) as session:
                yield session

    @contextmanager
    def _at_work(self) -> Iterator[bool]:
        """Be the only one at work on the cluster; yield whether nothing was kept of it before.

        A folder that was made only for the lock goes when the work is over.
        """
        fresh = not self._folder.exists()
        with self._folder.locked():
            try:
                yield fresh
            finally:
                if fresh and self._folder.exists() and self._folder.record() is None:
                    self._folder.remove()

    async def launch(
        self,
        wait: bool = True,
        *,
        minimum: int | None = None,
        timeout: float = LAUNCH_TIMEOUT,
        report: Report = ignore,
        accept_new: bool = False,
    ) -> dict[str, tuple[Node, ...]]:
        """Make the cluster whole, and return its nodes by tag, in group order.

        What runs is left alone, what is stopped is started, what is missing is made;
        nothing is ever removed for being too much. With `wait` every node has
        answered over SSH and run its setup script when this returns. All or nothing:
        on failure or cancellation, what this launch created is destroyed. `minimum`
        accepts fewer: so many nodes of each group (all of a smaller one) are enough,
        and those that failed are destroyed. `timeout` is in seconds; `report` is told
        of each step. `accept_new` pins what a machine that exists already (or a bastion)
        shows, where no host key is known of it: it is never asked of a known one.

        Raises `LaunchFailed`, which holds what happened to each node; `ClusterBusy`,
        `ClusterExists`, `InvalidInput`, and `ProviderError` before any node is started;
        `ResourcesRemain` if what a cancelled launch created could not be destroyed.
        """
        if minimum is not None and minimum < 0:
            raise InvalidInput(f"a minimum of {minimum} nodes makes no sense", fix="0 or more")
        if accept_new and not wait:
            raise InvalidInput(
                "new host keys are accepted when nodes are connected to",
                fix="launch with wait (on the command line, without --no-wait)",
            )
        terms = Terms(
            wait=wait,
            minimum=minimum,
            deadline=time.monotonic() + timeout,
            report=report,
            accept_new=accept_new,
        )
        return await self._launch(terms, undo=True)

    async def start(
        self, *, timeout: float = LAUNCH_TIMEOUT, report: Report = ignore
    ) -> tuple[Node, ...]:
        """Start what is stopped, make what is missing, and return the nodes.

        As `launch`, but only for a cluster that exists, and nothing is taken back.
        Raises `NoSuchCluster`, and what `launch` raises.
        """
        async with self._session():
            await self._inventory.known()
        terms = Terms(deadline=time.monotonic() + timeout, report=report)
        nodes = await self._launch(terms, undo=False)
        return tuple(node for group in nodes.values() for node in group)

    async def _launch(self, terms: Terms, *, undo: bool) -> dict[str, tuple[Node, ...]]:
        for group in self.groups:
            checked_setup(group)
        with self._at_work() as fresh:
            record = self._checked_record()
            generation = record.generation if record else uuid.uuid4().hex
            specs = self._wanted_specs(generation)
            key = self._access.own_key()
            launch = Launch(
                groups=self.groups,
                specs=specs,
                folder=self._folder,
                record=record,
                generation=generation,
                fresh=fresh,
                terms=terms,
                keyfile=self.keyfile,
                authorize=self.authorize,
            )
            try:
                async with self._session() as session:
                    return await launch.run(session, key)
            except BaseException as error:
                if undo:
                    await to_the_end(launch.take_back(error))
                raise

    def _wanted_specs(self, generation: str) -> dict[str, GroupSpec]:
        """Return what drivers are told of the groups to launch; make the login key if need be."""
        keys = self.authorize
        if self._access.makes_machines:
            keys = (self._folder.make_login_key().public, *keys)
        return {
            g.tag: plan.spec(self.name, g, g.count, keys, generation=generation)
            for g in self.groups
        }

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
            return plan.chosen(await self._inventory.nodes(), self.groups, tag, None)

    async def status(self, tag: str | None = None) -> dict[str, Status]:
        """Return the status of each node by name; `terminated` where one should be and is not."""
        async with self._session():
            nodes = plan.chosen(await self._inventory.expected(), self.groups, tag, None)
        return {node.name: node.status for node in nodes}

    async def stop(self) -> tuple[Node, ...]:
        """Stop all nodes, and return them; they keep index, disk and identity.

        Raises `NoSuchCluster`, `ClusterBusy` and, when every group has been asked to
        stop, the first `ProviderError`.
        """
        async with self._session():
            await self._inventory.known()
            with self._at_work():
                specs = self._inventory.specs()

                async def stop(group: Group) -> TinycloudError | None:
                    try:
                        async with asking(f"can't stop group '{group.tag}'"):
                            await group.driver.stop(specs[group.tag])
                    except TinycloudError as error:
                        return error
                    return None

                for error in await fan_out(stop, self.groups):
                    if error is not None:
                        raise error
                return await self._inventory.nodes()

    async def allow(self, networks: Collection[str] = ()) -> tuple[str, ...]:
        """Let this machine connect to the nodes from where it is now; return all who may.

        `networks` (as in `10.0.0.0/8`) may too. They take the place of those that could
        before. Raises `InvalidInput` where a provider has no rules about that, and for what is
        no network; `NoSuchCluster`, `ClusterBusy` and `ProviderError`.
        """
        async with self._session():
            await self._inventory.known()
            with self._at_work():
                return await self._inventory.allowed(networks)

    async def extend(self, ttl: float | None) -> Results:
        """Have the running nodes live for `ttl` seconds from now, or for ever; return the results.

        Nobody's life gets shorter. What the provider knows is set first, then each node
        is told over SSH: one that can't be told still ends when it was going to.

        Raises `InvalidInput` for nodes that have no time to live, or a longer one;
        `NoSuchCluster`, `ClusterBusy` and `ProviderError`.
        """
        until = deadline(ttl)
        with self._at_work():
            async with self._session() as session:
                nodes = mortal(await self._inventory.known(), until)
                scripts = await self._inventory.extended(nodes, until)
                extension = Extension(
                    cluster=self.name,
                    connections=session.connections,
                    key=self._access.own_key(),
                    scripts=scripts,
                )
                return Results(await fan_out(extension.on, nodes))

    async def destroy(self) -> Results:
        """Destroy the cluster and forget it; return one result for each node that it had.

        Goes on past failures. Done twice, it is done once. Raises `ResourcesRemain`
        if anything is left, naming it and the command that removes it; the cluster is
        then still known.
        """
        with self._at_work():
            specs = self._inventory.specs()
            ends = await fan_out(lambda g: destroy_group(g, specs[g.tag]), self.groups)
            remaining = tuple(name for end in ends for name in end.remaining)
            if remaining:
                cause = "; ".join(str(end.error) for end in ends if end.error)
                raise still_there(self.name, remaining, cause)
            results = Results(result for end in ends for result in end.results)
            self._forget(results)
        return results

    def _forget(self, destroyed: Results) -> None:
        """Forget these groups, and the cluster with the last of its groups."""
        record = self._folder.record()
        others = plan.without(record.groups, [g.tag for g in self.groups]) if record else ()
        if record is None or not others:
            self._folder.remove()
            return
        self._folder.write_record(replace(record, groups=others))
        for result in destroyed:
            self._folder.unpin(result.node.id)

    async def execute(
        self,
        command: str | Path,
        *,
        tag: str | None = None,
        index: int | Collection[int] | None = None,
        names: Collection[str] | None = None,
        keyfile: str | Path | None = None,
        input: Input | None = None,
        sudo: bool = False,
        timeout: float | None = None,
        limit: int | None = None,
        serial: Amount | Sequence[Amount] | None = None,
        max_fail: Amount | None = None,
        fail_fast: bool = False,
        stop: Stop | None = None,
        report: Report = ignore,
    ) -> Results:
        """Run a shell command on all nodes at once, or on those chosen; return the results.

        Never raises because a command failed: that is a value, and `.check()` raises.
        All output is kept in memory: where that may be too much, use `stream`.

        A `Path` is that of a script here, of any length, which is run by what its `#!`
        line says, or by the login shell. `names` narrow the nodes down further: to
        `worker-3` and `master-0`, say. `keyfile` is a private key to use instead of the
        cluster's own. `input` is what each command reads, the same on all nodes: what is
        iterated over is read once, as fast as the slowest takes it. With `sudo` root runs
        the command, where that needs no password. `timeout` is in seconds per node,
        `limit` how many nodes may be at work at once.

        `serial` are the sizes of batches that the nodes are taken in, such as
        `(1, "10%", "100%")`; the last goes for all the rest. `max_fail` is how many nodes,
        or `"5%"` of them, may fail: once more have, no other begins and they are `skipped`.
        By default that is none with `serial` or `fail_fast`, and all without. `fail_fast`
        also ends the commands that run by then. So does `stop`, when it is called.
        `report` is told which nodes it will be, and of each that is connected, or can't be.

        Raises `InvalidInput`, `NoSuchCluster`, and `ProviderError` if the nodes can't
        be listed.
        """
        policy = Policy.of(fail_fast=fail_fast, max_fail=max_fail, serial=serial)
        order = ordered(command, input=input, sudo=sudo, timeout=timeout, policy=policy)
        chosen = self._execution(order, tag, index, names, keyfile, stop, report)
        async with chosen as (execution, nodes):
            return await execution.on_all(nodes, limit=limit)

    async def stream(
        self,
        command: str | Path,
        *,
        tag: str | None = None,
        index: int | Collection[int] | None = None,
        names: Collection[str] | None = None,
        keyfile: str | Path | None = None,
        input: Input | None = None,
        sudo: bool = False,
        timeout: float | None = None,
        limit: int | None = None,
        serial: Amount | Sequence[Amount] | None = None,
        max_fail: Amount | None = None,
        fail_fast: bool = False,
        stop: Stop | None = None,
        report: Report = ignore,
    ) -> AsyncGenerator[Output | Result, None]:
        """Run a shell command as `execute` does; yield output as it comes, and each result.

        Memory stays bounded whatever the nodes print: who reads slowly slows them. A
        result comes after all of its node's output and holds none. When the reader
        stops early (`contextlib.aclosing` says when), the commands are ended.
        """
        policy = Policy.of(fail_fast=fail_fast, max_fail=max_fail, serial=serial)
        order = ordered(command, input=input, sudo=sudo, timeout=timeout, policy=policy)
        chosen = self._execution(order, tag, index, names, keyfile, stop, report)
        async with (
            chosen as (execution, nodes),
            aclosing(execution.events(nodes, limit=limit)) as events,
        ):
            async for event in events:
                yield event

    @asynccontextmanager
    async def _execution(
        self,
        order: Order,
        tag: str | None,
        index: int | Collection[int] | None,
        names: Collection[str] | None,
        keyfile: str | Path | None,
        stop: Stop | None,
        report: Report,
    ) -> AsyncIterator[tuple[Execution, tuple[Node, ...]]]:
        """Yield what runs a command, and the nodes to run it on."""
        async with self._chosen(tag, index, keyfile) as choice:
            nodes = plan.named(choice.nodes, names)
            for node in nodes:
                report(Step(Stage.PLANNED, node.name))
            with (stop or Stop()).followed() as follower:
                execution = Execution(
                    cluster=self.name,
                    connections=choice.session.connections,
                    key=choice.key,
                    order=order,
                    input=order.input_for(nodes),
                    variables=variables(self.name, choice.known),
                    rollout=Rollout(policy=order.policy, total=len(nodes), stop=follower),
                    report=report,
                )
                yield execution, nodes

    @asynccontextmanager
    async def _chosen(
        self,
        tag: str | None,
        index: int | Collection[int] | None,
        keyfile: str | Path | None,
    ) -> AsyncIterator[Choice]:
        """Yield what is open, the nodes chosen, and the private key to log in to them with."""
        key = None if keyfile is None else read_key_file(Path(keyfile))
        async with self._session() as session:
            known = await self._inventory.known()
            indices = (index,) if isinstance(index, int) else index
            yield Choice(
                session=session,
                known=known,
                nodes=plan.chosen(known, self.groups, tag, indices),
                key=key or self._access.own_key(),
            )

    @asynccontextmanager
    async def _connected(
        self, tag: str | None, index: int, keyfile: str | Path | None
    ) -> AsyncIterator[Connection]:
        """Yield a connection to one node, of the first group unless told otherwise."""
        tag = self.groups[0].tag if tag is None else tag
        async with self._chosen(tag, index, keyfile) as choice:
            (node,) = choice.nodes
            check_reachable(node, self.name)
            yield await choice.session.connections.get(node, choice.key)

    async def login(
        self, *, tag: str | None = None, index: int = 0, keyfile: str | Path | None = None
    ) -> int:
        """Give this process's terminal to a shell on one node; return its exit status.

        The first group's first node by default. A shell killed by a signal gives
        128 + its number, as in a shell. Raises `Unreachable`, `Untrusted`, and
        `ConnectionLost` if the node dies; the terminal is put back in any case.
        """
        async with self._connected(tag, index, keyfile) as connection:
            ending = await connection.shell()
        if ending.state is State.LOST:
            raise ConnectionLost(
                f"lost {connection.node.name}",
                cause=ending.error or "",
                fix=f"tinycloud status {self.name}",
            )
        if ending.signal is not None:
            return 128 + getattr(signal, f"SIG{ending.signal}", 127)
        return ending.exit_status or 0

    @asynccontextmanager
    async def forward(
        self,
        port: int | None = None,
        *,
        host: str = "localhost",
        listen: tuple[str, int] = (LOOPBACK, 0),
        tag: str | None = None,
        index: int = 0,
        keyfile: str | Path | None = None,
    ) -> AsyncIterator[tuple[str, int]]:
        """Forward a port: listen here, and have one node connect to `host` and `port` from there.

        Without a `port` it is a SOCKS proxy, whose clients say where to. Through the
        first group's first node by default. Yields the address that is listened on, for
        as long as the block lasts; port 0 of `listen` takes a free one. A target that
        can't be reached costs that one connection, and is logged.

        Raises `InvalidInput`, `Unreachable`, `Untrusted`, and `MachineError` if it can't
        listen; when the node dies the block is cancelled and `ConnectionLost` raised.
        """
        here = checked_listen(listen)
        to = None if port is None else checked_target(host, port)
        async with (
            self._connected(tag, index, keyfile) as connection,
            tunnel(connection, self.name, listen=here, to=to) as address,
        ):
            yield address

    async def put(
        self,
        local: Local | Iterable[Local],
        remote: str,
        *,
        tag: str | None = None,
        index: int | Collection[int] | None = None,
        keyfile: str | Path | None = None,
        limit: int | None = None,
        report: TransferReport = ignore_progress,
    ) -> Results:
        """Put files and folders on all nodes at once, or on those chosen; return the results.

        If `remote` ends in `/` it is a folder, into which each of `local` goes; otherwise
        it is the name that a single one gets. It begins at home unless it begins with
        `/`. What is missing on the way there is made, links in `local` are followed, and
        what a node has already is not sent. No name ever holds half a file.

        Never raises because a node failed. `report` is told of progress; for the rest
        see `execute`. Raises `InvalidInput` if anything in `local` can't be sent.
        """
        load = await loaded(local, remote, report)
        return await self._transfer(putting(load), tag, index, keyfile, limit, report)

    async def get(
        self,
        remote: str,
        local: Local,
        *,
        tag: str | None = None,
        index: int | Collection[int] | None = None,
        keyfile: str | Path | None = None,
        limit: int | None = None,
        report: TransferReport = ignore_progress,
    ) -> Results:
        """Get a file or a folder from all nodes at once, or from those chosen.

        What `worker-3` has comes to be in `local/worker-3`, under the same name. Nodes
        are trusted with nothing but content: whatever one sends, nothing outside of its
        folder is touched, no link is made or followed, and what is neither a file nor a
        folder is passed over. What is here already is not fetched.

        Returns results as `put` does. Raises `InvalidInput` if `local` can't be used, and
        `MachineError` if there is no room here.
        """
        remote_path(remote)
        into = getting(remote, local)
        return await self._transfer(into, tag, index, keyfile, limit, report)

    async def _transfer(
        self,
        transfer: AbstractAsyncContextManager[Transfer],
        tag: str | None,
        index: int | Collection[int] | None,
        keyfile: str | Path | None,
        limit: int | None,
        report: TransferReport,
    ) -> Results:
        async with self._chosen(tag, index, keyfile) as choice, transfer as work:
            moving = Moving(
                cluster=self.name,
                connections=choice.session.connections,
                key=choice.key,
                transfer=work,
                report=report,
            )
            return Results(await fan_out(moving.on, choice.nodes, limit=limit))
