"""Launch makes a cluster whole, after anything, and touches nothing that is fine."""

import asyncio

import pytest
from clusters import destroyed_after, files, ids, kill, launched, local, process_of
from machines import Memory, Provider

from tinycloud import Cloud, ClusterBusy, ClusterExists, Group, InvalidInput, Stage, Status, Step
from tinycloud.drivers.local import Local
from tinycloud.store import ClusterFolder


async def test_a_launched_cluster_answers_on_every_node() -> None:
    """Launch returns all nodes by tag, in group order; each runs commands, as itself."""
    async with destroyed_after(local(2)) as cloud:
        nodes = await cloud.launch()
        assert list(nodes) == ["master", "worker"]
        assert [node.name for node in nodes["worker"]] == ["worker-0", "worker-1"]
        results = await cloud.execute("echo $TINYCLOUD_CLUSTER $TINYCLOUD_NODE")
        assert [r.text for r in results.check()] == [
            "voltron master-0\n",
            "voltron worker-0\n",
            "voltron worker-1\n",
        ]


async def test_launching_again_changes_nothing() -> None:
    """A whole cluster stays as it is: same ids, same processes, same files, same record."""
    async with launched() as cloud:
        before = await cloud.list()
        pids = [process_of(node).pid for node in before]
        record = ClusterFolder("voltron").record()
        again = await cloud.launch()
        assert (*again["master"], *again["worker"]) == before
        assert [process_of(node).pid for node in before] == pids
        assert ClusterFolder("voltron").record() == record


async def test_a_dead_node_is_brought_back_and_no_other_touched() -> None:
    """After kill -9 of one node, launch starts it again with its home; the others run on."""
    async with launched() as cloud:
        before = await cloud.list()
        pids = {node.name: process_of(node).pid for node in before}
        await cloud.execute("echo mine > note")
        kill(before[1])
        assert (await cloud.status())["worker-0"] is Status.STOPPED
        await cloud.launch()
        after = await cloud.list()
        assert ids(after) == ids(before)
        now = {node.name: process_of(node).pid for node in after}
        assert [name for name in pids if pids[name] != now[name]] == ["worker-0"]
        assert {r.text for r in (await cloud.execute("cat note")).check()} == {"mine\n"}


async def test_a_stopped_cluster_is_started() -> None:
    """After stop, launch brings every node back with its id and host key."""
    async with launched() as cloud:
        before = await cloud.list()
        stopped = await cloud.stop()
        assert [node.status for node in stopped] == 3 * [Status.STOPPED]
        await cloud.launch()
        assert ids(await cloud.list()) == ids(before)
        assert [n.host_key for n in await cloud.list()] == [n.host_key for n in before]
        assert (await cloud.execute("true")).ok


async def test_a_missing_node_is_made() -> None:
    """A node that is no more is told of as gone, and launch makes a new one in its place."""
    async with launched() as cloud:
        before = await cloud.list()
        worker = cloud.groups[1]
        (spec,) = [s for t, s in cloud._inventory.specs().items() if t == "worker"]
        await worker.driver.discard(spec, [0])
        assert (await cloud.status())["worker-0"] is Status.TERMINATED
        assert ids(await cloud.list()).keys() == {"master-0", "worker-1"}
        await cloud.launch()
        after = ids(await cloud.list())
        assert after["worker-0"] != ids(before)["worker-0"]
        assert {**after, "worker-0": ""} == {**ids(before), "worker-0": ""}


async def test_a_larger_launch_adds_nodes() -> None:
    """More workers than there are: the new ones are made beside the old ones."""
    async with launched(1) as cloud:
        before = ids(await cloud.list())
        more = await local(3).launch()
        assert [node.index for node in more["worker"]] == [0, 1, 2]
        assert before.items() <= ids(more["master"] + more["worker"]).items()


async def test_a_smaller_launch_removes_nothing() -> None:
    """Fewer workers than there are: all stay, are returned as they are now, and are recorded."""
    async with launched(3) as cloud:
        await cloud.stop()
        fewer = await local(1).launch()
        assert [node.index for node in fewer["worker"]] == [0, 1, 2]
        assert {node.status for node in fewer["worker"]} == {Status.RUNNING}
        record = ClusterFolder("voltron").record()
        assert record is not None
        assert {group.tag: group.count for group in record.groups} == {"master": 1, "worker": 3}


async def test_start_brings_back_what_is_there_and_makes_what_is_missing() -> None:
    """`start` is launch for a cluster that exists."""
    async with launched() as cloud:
        before = await cloud.list()
        kill(before[0])
        nodes = await cloud.start()
        assert ids(nodes) == ids(before)
        assert {node.status for node in nodes} == {Status.RUNNING}


async def test_without_waiting_nodes_are_started_and_not_spoken_to() -> None:
    """With wait=False launch returns once nodes are on their way, before any SSH."""
    steps: list[Step] = []
    async with destroyed_after(local(1)) as cloud:
        nodes = await cloud.launch(wait=False, report=steps.append)
        assert len(nodes["worker"]) == 1
        assert steps == []
        assert files("pins") == []


async def test_each_node_is_reported_on_its_way() -> None:
    """A watcher hears of each node: started, connected, ready, in that order."""
    steps: list[Step] = []
    async with destroyed_after(local(2)) as cloud:
        await cloud.launch(report=steps.append)
    for name in ("master-0", "worker-0", "worker-1"):
        assert [s.stage for s in steps if s.node == name] == [
            Stage.STARTED,
            Stage.CONNECTED,
            Stage.READY,
        ]


async def test_two_launches_at_once_make_one_cluster() -> None:
    """One of them wins; the other says who is at work, and changes nothing."""
    async with destroyed_after(local(1)) as cloud:
        first, second = await asyncio.gather(
            cloud.launch(), local(1).launch(), return_exceptions=True
        )
        assert isinstance(first, dict)
        assert isinstance(second, ClusterBusy)
        assert "process " in second.cause
        assert len(await cloud.list()) == 2


async def test_another_driver_is_refused() -> None:
    """A recorded group can't be launched with another driver: nothing is asked of either."""
    provider = Provider()
    async with launched(1) as cloud:
        other = Cloud([Group("worker", 1, Memory(provider))], name="voltron")
        with pytest.raises(ClusterExists, match="'worker' is of driver 'local'"):
            await other.launch(wait=False)
        assert provider.machines == {}
        assert len(await cloud.list()) == 2
        with pytest.raises(ClusterExists):
            await other.start()


async def test_time_to_live_and_keys_reach_the_driver() -> None:
    """A driver is told of a node's time to live, its setup script, and whose keys it accepts."""
    provider = Provider()
    group = Group("web", 1, Memory(provider), ttl=60.0, setup="echo hello")
    cloud = Cloud([group], name="c", authorize=["ssh-ed25519 AAAA friend"])
    await cloud.launch(wait=False)
    (spec,) = provider.specs.values()
    assert (spec.ttl, spec.setup) == (60.0, "echo hello")
    own, friend = spec.authorized_keys
    assert own.startswith("ssh-ed25519 ")
    assert friend == "ssh-ed25519 AAAA friend"
    await cloud.destroy()


@pytest.mark.parametrize("minimum", [-1, -5])
async def test_a_minimum_below_zero_makes_no_sense(minimum: int) -> None:
    """It is refused before anything is touched."""
    with pytest.raises(InvalidInput, match="minimum"):
        await local(1).launch(minimum=minimum)
    assert files() == []


def test_a_cluster_needs_groups_of_different_names() -> None:
    """No groups, and two of one name, are refused when the Cloud is made."""
    with pytest.raises(InvalidInput, match="needs a group"):
        Cloud([], name="c")
    with pytest.raises(InvalidInput, match="two groups are called 'web'"):
        Cloud([Group("web", 1, Local()), Group("web", 2, Local())], name="c")
