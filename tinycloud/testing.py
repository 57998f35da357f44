"""The contract of drivers as tests, which any driver can be put through.

Write a class like this into a file that pytest finds, and run pytest on it:

    class TestMine(DriverContract):
        def driver(self) -> Driver:
            return Mine()
"""

import asyncio
import tempfile
import time
import unittest
import uuid
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from .driver import Driver
from .errors import ResourcesRemain, Unreachable
from .fanout import fan_out, to_the_end
from .group import GroupSpec
from .node import Node, Status
from .ssh.connection import Connection
from .ssh.connections import Connections
from .store.keys import LoginKey, make_login_key

LOOK_AGAIN = 0.05
"""Seconds between two looks at machines that are on their way."""


class Trial:
    """One test's driver, in its block, and the groups that the test has made with it."""

    def __init__(self, contract: "DriverContract") -> None:
        self._contract = contract
        self._groups: dict[tuple[str, str], GroupSpec] = {}
        self.driver = contract.driver()
        self.cluster = f"contract-{uuid.uuid4().hex[:8]}"

    def spec(self, tag: str, count: int, *, cluster: str = "") -> GroupSpec:
        """Return the spec of a group, which is destroyed after the test."""
        spec = GroupSpec(
            cluster=cluster or self.cluster,
            tag=tag,
            count=count,
            authorized_keys=self._contract.authorized_keys,
        )
        self._groups[spec.cluster, spec.tag] = spec
        return spec

    async def started(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Prepare and start a group as `Cloud.launch` does; return its nodes once they run."""
        await self.driver.prepare(spec)
        nodes = await self.driver.start(spec)
        assert isinstance(nodes, tuple)
        under_way = {node.status for node in nodes} <= {Status.PENDING, Status.RUNNING}
        assert under_way, f"started, and not under way: {nodes}"
        settled = await self.settled(spec, Status.RUNNING)
        check_same(settled, nodes)
        return settled

    async def settled(self, spec: GroupSpec, status: Status) -> tuple[Node, ...]:
        """Return the group's nodes once all have this status."""
        deadline = time.monotonic() + self._contract.timeout
        while True:
            nodes = await self.driver.list(spec)
            if all(node.status is status for node in nodes):
                return nodes
            assert time.monotonic() < deadline, f"not yet {status}: {nodes}"
            await asyncio.sleep(LOOK_AGAIN)

    async def end(self) -> None:
        """Destroy all groups, with a driver that has seen nothing of the test."""
        driver = self._contract.driver()
        async with driver:
            await fan_out(driver.destroy, self._groups.values())
            left = await fan_out(driver.list, self._groups.values())
        assert not any(left), f"destroyed, and still listed: {left}"
        for cluster in {cluster for cluster, _ in self._groups}:
            found = await self._contract.leftovers(cluster)
            assert not found, f"destroyed, and still there: {found}"


def check_same(found: Collection[Node], expected: Collection[Node]) -> None:
    """Check that these are the same machines: that they have the same index, id and host key."""
    one, other = ([(n.index, n.id, n.host_key) for n in nodes] for nodes in (found, expected))
    assert one == other, f"{one} should be {other}"


def indices(nodes: Collection[Node]) -> list[int]:
    """Return the indices of nodes."""
    return [node.index for node in nodes]


Check = Callable[["DriverContract", Trial], Coroutine[Any, Any, None]]


def trial(check: Check) -> "Callable[[DriverContract], None]":
    """Make a test of a coroutine: its groups are destroyed after it, also when it fails."""

    async def play(contract: "DriverContract") -> None:
        trial = Trial(contract)
        try:
            async with trial.driver:
                await check(contract, trial)
        finally:
            await to_the_end(trial.end())

    def test(self: "DriverContract") -> None:
        asyncio.run(play(self))

    # Not `functools.wraps`: pytest would look through it, and see an argument to provide.
    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


class DriverContract:
    """What every driver must do. A subclass says how to make one; pytest runs the tests."""

    timeout: float = 60.0
    """Seconds that machines may take to get from one state to the next."""

    ssh: bool = False
    """Whether the nodes can be reached from here, and their driver knows their host keys."""

    authorized_keys: tuple[str, ...] = ()
    """OpenSSH public key lines, for a driver that makes no nodes without."""

    def driver(self) -> Driver:
        """Return a new driver, each time on the same provider and account."""
        raise NotImplementedError("say in your subclass how to make the driver")

    async def lose(self, node: Node) -> None:
        """Make a machine vanish or fail, without a word to the driver; say how if you can."""
        raise unittest.SkipTest("the test class does not say how to lose a node")

    async def leftovers(self, cluster: str) -> Collection[str]:
        """Return what the provider still holds of a destroyed cluster; say how if you can."""
        return ()

    @trial
    async def test_prepare_is_idempotent(self, trial: Trial) -> None:
        """Preparing makes no nodes, and may be done again, also when they run."""
        spec = trial.spec("worker", 1)
        await trial.driver.prepare(spec)
        await trial.driver.prepare(spec)
        assert await trial.driver.list(spec) == ()
        nodes = await trial.started(spec)
        await trial.driver.prepare(spec)
        check_same(await trial.driver.list(spec), nodes)

    @trial
    async def test_nothing_is_no_error(self, trial: Trial) -> None:
        """A group without nodes is listed as empty; it can be started, stopped, destroyed."""
        for spec in (trial.spec("none", 0), trial.spec("never", 2)):
            assert await trial.driver.list(spec) == ()
            assert await trial.driver.status(spec) == ()
            await trial.driver.stop(spec)
            await trial.driver.destroy(spec)
        assert await trial.started(trial.spec("none", 0)) == ()

    @trial
    async def test_start_makes_the_nodes(self, trial: Trial) -> None:
        """A started group has the nodes 0 to count - 1, each with an id of its own."""
        nodes = await trial.started(trial.spec("worker", 3))
        assert indices(nodes) == [0, 1, 2]
        assert {node.tag for node in nodes} == {"worker"}
        assert len({node.id for node in nodes} - {""}) == 3
        assert all(node.address for node in nodes)

    @trial
    async def test_start_leaves_running_nodes_alone(self, trial: Trial) -> None:
        """Started again, a group is the same as before."""
        spec = trial.spec("worker", 2)
        nodes = await trial.started(spec)
        check_same(await trial.started(spec), nodes)

    @trial
    async def test_start_fills_what_is_missing(self, trial: Trial) -> None:
        """A larger count adds nodes; those that are there keep index and identity."""
        one = await trial.started(trial.spec("worker", 1))
        three = await trial.started(trial.spec("worker", 3))
        assert indices(three) == [0, 1, 2]
        check_same(three[:1], one)

    @trial
    async def test_start_never_removes_surplus(self, trial: Trial) -> None:
        """A smaller count removes nothing: `start` returns the surplus too."""
        three = await trial.started(trial.spec("worker", 3))
        check_same(await trial.started(trial.spec("worker", 1)), three)

    @trial
    async def test_stop_and_start_keep_identity(self, trial: Trial) -> None:
        """A stopped node is listed as stopped; started, it has its index, id and host key."""
        spec = trial.spec("worker", 2)
        nodes = await trial.started(spec)
        await trial.driver.stop(spec)
        stopped = await trial.settled(spec, Status.STOPPED)
        check_same(stopped, nodes)
        await trial.driver.stop(spec)
        check_same(await trial.settled(spec, Status.STOPPED), nodes)
        check_same(await trial.started(spec), nodes)

    @trial
    async def test_stopped_nodes_are_started_beside_new_ones(self, trial: Trial) -> None:
        """A start of a stopped group with a larger count starts the old and makes the new."""
        one = await trial.started(trial.spec("worker", 1))
        await trial.driver.stop(trial.spec("worker", 1))
        await trial.settled(trial.spec("worker", 1), Status.STOPPED)
        two = await trial.started(trial.spec("worker", 2))
        assert indices(two) == [0, 1]
        check_same(two[:1], one)

    @trial
    async def test_status_is_in_the_order_of_list(self, trial: Trial) -> None:
        """`status` answers in words of `Status`, one for each node that `list` returns."""
        spec = trial.spec("worker", 2)
        await trial.started(spec)
        assert await trial.driver.status(spec) == (Status.RUNNING, Status.RUNNING)
        await trial.driver.stop(spec)
        await trial.settled(spec, Status.STOPPED)
        found = await trial.driver.status(spec)
        assert found == (Status.STOPPED, Status.STOPPED)
        assert all(isinstance(status, Status) for status in found)

    @trial
    async def test_destroy_is_idempotent(self, trial: Trial) -> None:
        """What is destroyed, running or stopped, is not listed; destroying it again is no error."""
        running, stopped = trial.spec("running", 2), trial.spec("stopped", 1)
        await trial.started(running)
        await trial.started(stopped)
        await trial.driver.stop(stopped)
        for spec in (running, stopped, running, stopped):
            await trial.driver.destroy(spec)
            assert await trial.driver.list(spec) == ()
            assert await trial.driver.status(spec) == ()

    @trial
    async def test_a_destroyed_group_can_be_made_again(self, trial: Trial) -> None:
        """After `destroy` the same names give new machines."""
        spec = trial.spec("worker", 1)
        old = await trial.started(spec)
        await trial.driver.destroy(spec)
        new = await trial.started(spec)
        assert indices(new) == [0]
        assert new[0].id != old[0].id

    @trial
    async def test_list_needs_no_count(self, trial: Trial) -> None:
        """Nodes are found by cluster and tag alone, also by a driver that did not make them."""
        nodes = await trial.started(trial.spec("worker", 3))
        for driver in (trial.driver, self.driver()):
            for count in (0, 1, 5):
                spec = replace(trial.spec("worker", 3), count=count, authorized_keys=())
                check_same(await driver.list(spec), nodes)

    @trial
    async def test_destroy_needs_no_count(self, trial: Trial) -> None:
        """All nodes are stopped and destroyed, however few the spec speaks of."""
        spec = trial.spec("worker", 2)
        await trial.started(spec)
        none = replace(spec, count=0, authorized_keys=())
        await trial.driver.stop(none)
        assert len(await trial.settled(spec, Status.STOPPED)) == 2
        await trial.driver.destroy(none)
        assert await trial.driver.list(spec) == ()

    @trial
    async def test_discard_removes_only_what_it_is_told(self, trial: Trial) -> None:
        """After a partial destroy the others keep index and identity, and the gap is filled.

        A driver that can't do that removes nothing, and names the nodes that remain.
        """
        spec = trial.spec("worker", 3)
        nodes = await trial.started(spec)
        remaining: tuple[str, ...] = ()
        try:
            await trial.driver.discard(spec, [1])
        except ResourcesRemain as error:
            remaining = error.remaining
        if remaining:
            assert remaining == ("worker-1",)
            check_same(await trial.driver.list(spec), nodes)
            return
        for count in (0, 3):
            left = await trial.driver.list(replace(spec, count=count))
            check_same(left, (nodes[0], nodes[2]))
        await trial.driver.discard(spec, [1, 7])
        again = await trial.started(spec)
        check_same((again[0], again[2]), (nodes[0], nodes[2]))
        assert again[1].id != nodes[1].id

    @trial
    async def test_discard_of_all_is_destroy(self, trial: Trial) -> None:
        """A group of which all nodes are discarded is gone."""
        spec = trial.spec("worker", 2)
        await trial.started(spec)
        await trial.driver.discard(spec, [0, 1])
        assert await trial.driver.list(spec) == ()

    @trial
    async def test_a_lost_node_is_brought_back(self, trial: Trial) -> None:
        """A lost node is stopped, or not listed; `start` makes the group whole again."""
        spec = trial.spec("worker", 3)
        nodes = await trial.started(spec)
        await self.lose(nodes[1])
        deadline = time.monotonic() + self.timeout
        while not _is_lost(nodes[1], left := await trial.driver.list(spec)):
            assert time.monotonic() < deadline, f"still listed as running: {nodes[1]}"
            await asyncio.sleep(LOOK_AGAIN)
        kept = [node for node in left if node.index != 1]
        check_same(kept, (nodes[0], nodes[2]))
        again = await trial.started(spec)
        assert indices(again) == [0, 1, 2]
        check_same((again[0], again[2]), kept)

    @trial
    async def test_groups_never_see_each_other(self, trial: Trial) -> None:
        """What is done to one group touches no other, however alike their names are."""
        one, two = trial.cluster, f"{trial.cluster}-2"
        clusters = [(one, "2-x"), (two, "x"), (two, "web"), (one.title(), "web")]
        tags = [(one, tag) for tag in ("web", "web-2", "Web", "web.2", "we")]
        specs = [trial.spec(tag, 1, cluster=cluster) for cluster, tag in (*clusters, *tags)]
        nodes = await fan_out(trial.started, specs)
        assert all(indices(found) == [0] for found in nodes)
        assert len({found[0].id for found in nodes}) == len(specs)
        web = specs[len(clusters)]
        await trial.driver.stop(web)
        await trial.settled(web, Status.STOPPED)
        await trial.driver.destroy(web)
        for spec, found in zip(specs, nodes, strict=True):
            expected = () if spec is web else found
            check_same(await trial.driver.list(spec), expected)

    @trial
    async def test_groups_are_served_at_once(self, trial: Trial) -> None:
        """One driver object can be at work on many groups at the same time."""
        specs = [trial.spec(f"group-{number}", 2) for number in range(4)]
        nodes = await fan_out(trial.started, specs)
        assert [indices(found) for found in nodes] == 4 * [[0, 1]]
        assert len({node.id for found in nodes for node in found}) == 8
        await fan_out(trial.driver.stop, specs[:2])
        await fan_out(trial.driver.destroy, specs[1:])
        left = await fan_out(trial.driver.list, specs)
        assert [len(found) for found in left] == [2, 0, 0, 0]

    @trial
    async def test_works_without_a_block(self, trial: Trial) -> None:
        """A driver does all it can also outside of `async with`, where nodes live on."""
        spec = trial.spec("worker", 1)
        async with self.driver() as driver:
            await driver.prepare(spec)
            await driver.start(spec)
        nodes = await trial.settled(spec, Status.RUNNING)
        driver = self.driver()
        await driver.prepare(spec)
        check_same(await driver.start(spec), nodes)
        await driver.stop(spec)
        check_same(await driver.list(spec), nodes)
        assert len(await driver.status(spec)) == 1
        await driver.destroy(spec)
        assert await driver.list(spec) == ()

    @trial
    async def test_blocks_may_overlap(self, trial: Trial) -> None:
        """One driver object may be in several blocks at once; leaving one ends no other."""
        async with trial.driver, trial.driver:
            nodes = await trial.started(trial.spec("worker", 1))
        more = await trial.started(trial.spec("worker", 2))
        check_same(more[:1], nodes)

    @trial
    async def test_a_cancelled_start_loses_nothing(self, trial: Trial) -> None:
        """What a cancelled start has made is found: it can be completed, and destroyed."""
        spec = trial.spec("worker", 2)
        for turns in (1, 3, 10, 30):
            await _cancelled(trial.driver.start(spec), turns)
            nodes = await trial.started(spec)
            assert indices(nodes) == [0, 1]
            await _cancelled(trial.driver.destroy(spec), turns)
            await trial.driver.destroy(spec)
            assert await trial.driver.list(spec) == ()

    @trial
    async def test_nodes_accept_the_authorized_key(self, trial: Trial) -> None:
        """Over SSH a node takes the key it was made with, and no other; stopped and started too."""
        if not self.ssh:
            raise unittest.SkipTest("the test class does not say that nodes can be reached")
        key, other = _new_key(), _new_key()
        spec = replace(trial.spec("worker", 1), authorized_keys=(*self.authorized_keys, key.public))
        (node,) = await trial.started(spec)
        assert await self._said(node, key) == b"hello\n"
        try:
            await self._said(node, other)
        except Unreachable:
            pass
        else:
            raise AssertionError("the node takes any key")
        await trial.driver.stop(spec)
        await trial.settled(spec, Status.STOPPED)
        (again,) = await trial.started(spec)
        assert await self._said(replace(again, host_key=node.host_key), key) == b"hello\n"

    async def _said(self, node: Node, key: LoginKey) -> bytes:
        """Return what a command prints on the node."""
        heard = b""

        async def emit(stream: str, data: bytes) -> None:
            nonlocal heard
            heard += data

        async def alive() -> None:
            """Know nothing better."""

        connections = Connections(pinned=lambda n: n.host_key, proven=lambda n, proof: None)
        async with connections:
            deadline = time.monotonic() + self.timeout
            connection: Connection = await connections.get_booting(
                node, key.private, deadline=deadline, alive=alive
            )
            await connection.run("echo hello", emit=emit, variables={}, timeout=self.timeout)
        return heard


def _is_lost(lost: Node, listed: Collection[Node]) -> bool:
    return not any(node.id == lost.id and node.status is not Status.STOPPED for node in listed)


def _new_key() -> LoginKey:
    with tempfile.TemporaryDirectory() as folder:
        return make_login_key(Path(folder), "contract")


async def _cancelled(work: Coroutine[Any, Any, object], turns: int) -> None:
    """Begin `work`, cancel it after some turns of the event loop, and wait until it has ended."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
