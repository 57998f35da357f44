"""A launch that fails takes back what it made, and nothing else, and says what happened."""

import asyncio
from collections.abc import Collection

import psutil
import pytest
from clusters import destroyed_after, files, launched, local, process_of
from machines import Memory, MemoryNode, Provider, Trouble, Troubled, fail, none

from tinycloud import (
    Cloud,
    CommandFailed,
    Driver,
    Group,
    GroupSpec,
    InvalidInput,
    LaunchFailed,
    Node,
    PerNode,
    ProviderError,
    ResourcesRemain,
    Stage,
    State,
    Status,
    Step,
    Unreachable,
)
from tinycloud.drivers.local import Local
from tinycloud.store import ClusterFolder


@pytest.fixture
def provider() -> Provider:
    """A provider that has no machines yet."""
    return Provider()


def cluster(driver: Driver, web: int = 2, db: int = 1) -> Cloud:
    """Return a cluster of two groups of this driver."""
    return Cloud([Group("web", web, driver), Group("db", db, driver)], name="c")


def troubled(provider: Provider, *, before: Trouble = none, after: Trouble = none) -> Driver:
    """Return a driver of machines in memory that gets into trouble."""
    return Troubled(Memory(provider), before=before, after=after)


async def failed(cloud: Cloud, minimum: int | None = None) -> LaunchFailed:
    """Launch, and return the failure."""
    with pytest.raises(LaunchFailed) as caught:
        await cloud.launch(wait=False, minimum=minimum)
    return caught.value


async def test_the_other_groups_finish_before_all_is_taken_back(provider: Provider) -> None:
    """A group that can't start stops no other; then all that is new goes."""
    finished = []

    async def note(verb: str, spec: GroupSpec) -> None:
        if verb == "start":
            for _ in range(50):  # longer than the other group takes to fail
                await asyncio.sleep(0)
            finished.append(spec.tag)

    before = fail("start", "db", ValueError("no such size"))
    error = await failed(cluster(troubled(provider, before=before, after=note)))
    assert finished == ["web"]
    assert list(error.failures) == ["db-0"]
    assert isinstance(error.failures["db-0"], ProviderError)
    assert error.what == "1 of 3 nodes of 'c' did not come up"
    assert "can't start group 'db' (ValueError: no such size)" in error.cause
    assert (provider.ids(), provider.prepared, files()) == ({}, set(), [])


async def test_what_was_there_stays(provider: Provider) -> None:
    """Nodes from before keep id and status; the record is as it was, to the byte."""
    await cluster(Memory(provider), 1, 1).launch(wait=False)
    ids, record = provider.ids(), ClusterFolder("c").record()
    await failed(cluster(troubled(provider, after=fail("start", "web", OSError("full"))), 3, 2))
    assert provider.ids() == ids
    assert ClusterFolder("c").record() == record
    await cluster(Memory(provider), 1, 1).destroy()


async def test_local_nodes_from_before_run_on() -> None:
    """With real processes: the new ones end, the old ones keep pid, id and what they do."""
    async with launched(1) as cloud:
        before = await cloud.list()
        pids = [process_of(node).pid for node in before]
        driver = Troubled(Local(), after=fail("start", "worker", OSError("full")))
        more = Cloud([Group("master", 1, driver), Group("worker", 3, driver)], name="voltron")
        with pytest.raises(LaunchFailed):
            await more.launch()
        assert await cloud.list() == before
        assert [process_of(node).pid for node in before] == pids
        assert (await cloud.execute("true")).ok
        assert len(files("pins")) == 1
        assert set(files("local-*")) == {node.id for node in before}


async def test_a_stopped_group_is_stopped_again(provider: Provider) -> None:
    """Nodes that the failed launch has started, and that were all stopped before, are stopped."""
    await cluster(Memory(provider), 2, 1).launch(wait=False)
    await cluster(Memory(provider), 2, 1).stop()
    ids = provider.ids()
    await failed(cluster(troubled(provider, before=fail("start", "db", OSError("full"))), 2, 1))
    statuses = {n.status for group in provider.machines.values() for n in group.values()}
    assert (provider.ids(), statuses) == (ids, {Status.STOPPED})
    await cluster(Memory(provider), 2, 1).destroy()


async def test_groups_that_can_t_be_prepared_fail_the_launch(provider: Provider) -> None:
    """The others are prepared to the end, nothing is started, and what was made is unmade."""
    started = []

    async def before(verb: str, spec: GroupSpec) -> None:
        if verb == "start":
            started.append(spec.tag)
        if (verb, spec.tag) == ("prepare", "web"):
            raise PermissionError("no rights")

    with pytest.raises(ProviderError, match=r"can't prepare group 'web' \(PermissionError: no r"):
        await cluster(troubled(provider, before=before)).launch(wait=False)
    assert started == []
    assert (provider.ids(), provider.prepared, files()) == ({}, set(), [])


async def test_a_provider_that_goes_away_before_anything_started(provider: Provider) -> None:
    """If nothing can have been made of groups that were there, nothing is said to remain."""
    down = False

    async def before(verb: str, spec: GroupSpec) -> None:
        nonlocal down
        down |= verb == "prepare"
        if down:
            raise ConnectionError("no route")

    await cluster(Memory(provider)).launch(wait=False)
    record = ClusterFolder("c").record()
    with pytest.raises(ProviderError, match="can't prepare group 'web'"):
        await cluster(troubled(provider, before=before), web=3).launch(wait=False)
    assert ClusterFolder("c").record() == record
    await cluster(Memory(provider)).destroy()


async def test_an_error_of_ours_stays_what_it_is(provider: Provider) -> None:
    """What a driver raises on purpose is not wrapped: bad input stays bad input."""
    wrong = InvalidInput("no such region", fix="take another")
    with pytest.raises(InvalidInput) as caught:
        await cluster(troubled(provider, before=fail("prepare", "db", wrong))).launch()
    assert caught.value is wrong


async def test_a_driver_that_can_t_list_stops_the_launch_first(provider: Provider) -> None:
    """Without knowing what is there nothing is prepared, nor later destroyed."""
    driver = troubled(provider, before=fail("list", "db", OSError("no route")))
    with pytest.raises(ProviderError, match="can't list group 'db'"):
        await cluster(driver).launch(wait=False)
    assert (provider.prepared, files()) == (set(), [])


@pytest.mark.parametrize("verb", ["__aenter__", "__aexit__"])
async def test_a_driver_that_can_t_be_opened_or_closed(provider: Provider, verb: str) -> None:
    """Its exception becomes one of ours, and what the launch made is taken back."""

    class Stuck(Memory):
        failing = True

        async def fail(self, *_: object) -> None:
            if self.failing:
                self.failing = False
                raise OSError("stuck")

    setattr(Stuck, verb, Stuck.fail)
    with pytest.raises(ProviderError, match="OSError: stuck"):
        await cluster(Stuck(provider)).launch(wait=False)
    assert (provider.ids(), files()) == ({}, [])


async def test_nodes_that_started_before_the_driver_refused_are_taken_back(
    provider: Provider,
) -> None:
    """A driver that makes some nodes, and raises, leaves none of them."""

    class Half(MemoryNode):
        async def start(self) -> Node:
            if self.index == 1:
                raise RuntimeError("out of machines")
            return await super().start()

    driver = PerNode(lambda spec, index: Half(provider, spec, index))
    error = await failed(cluster(driver, web=3))
    assert list(error.failures) == ["web-1"]
    assert "web-1: out of machines" in error.cause
    assert (provider.ids(), files()) == ({}, [])


async def test_a_refusal_is_not_forgotten_if_all_nodes_came_up(provider: Provider) -> None:
    """A driver that raises after all nodes are there has still not done what it should."""
    driver = troubled(provider, after=fail("start", "db", OSError("no label")))
    error = await failed(cluster(driver))
    assert list(error.failures) == ["group db"]
    assert error.what == "group db of 'c' did not come up"
    assert provider.ids() == {}


async def test_a_driver_that_can_t_even_list_after_refusing(provider: Provider) -> None:
    """When nobody knows what there is, it is said that it may remain, with the way to end it."""
    refused = False

    async def trouble(verb: str, spec: GroupSpec) -> None:
        nonlocal refused
        refused |= (verb, spec.tag) == ("start", "db")
        if refused and spec.tag == "db":
            raise ConnectionError("gone")

    error = await failed(cluster(troubled(provider, before=trouble)))
    assert error.remaining == ("group db",)
    assert error.fix == "tinycloud destroy c"
    assert "still there: group db" in str(error)
    assert {name.split("-")[0] for name in provider.ids()} <= {"c/db"}
    assert ClusterFolder("c").record() is not None
    await cluster(Memory(provider)).destroy()
    assert files() == []


async def test_what_can_t_be_destroyed_is_named_and_stays_known(provider: Provider) -> None:
    """The failure names the nodes that remain, and they can be destroyed later."""

    async def trouble(verb: str, spec: GroupSpec) -> None:
        if verb == "destroy" and spec.tag == "web":
            raise ResourcesRemain("stuck", remaining=("web-1",))

    driver = Troubled(Memory(provider), before=trouble, after=fail("start", "db", OSError("full")))
    error = await failed(cluster(driver))
    assert error.remaining == ("web-1",)
    assert set(error.failures) == {"group db"}
    record = ClusterFolder("c").record()
    assert record is not None
    assert {group.tag: group.count for group in record.groups} == {"web": 2, "db": 1}
    await cluster(Memory(provider)).destroy()
    assert (provider.ids(), files()) == ({}, [])


async def test_a_cancelled_launch_that_can_t_be_undone_says_so(provider: Provider) -> None:
    """Cancelled, and something remains: that goes before the cancellation."""
    made = asyncio.Event()

    async def wait(verb: str, spec: GroupSpec) -> None:
        if (verb, spec.tag) == ("start", "web"):
            made.set()
            await asyncio.Event().wait()

    driver = Troubled(Memory(provider), before=fail("destroy", "web", OSError("stuck")), after=wait)
    task = asyncio.ensure_future(cluster(driver).launch(wait=False))
    await made.wait()
    task.cancel()
    with pytest.raises(ResourcesRemain) as caught:
        await task
    assert caught.value.remaining == ("web-0", "web-1")
    assert caught.value.fix == "tinycloud destroy c"
    await cluster(Memory(provider)).destroy()


async def test_new_nodes_remain_known_where_only_whole_groups_can_be_destroyed(
    provider: Provider,
) -> None:
    """A driver without `discard` keeps the new nodes beside the old: they are named, and found."""

    class Plain(Memory):
        async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
            await Driver.discard(self, spec, indices)

        async def destroy(self, spec: GroupSpec) -> None:
            await Memory.discard(self, spec, tuple(self.provider.group(spec)))
            self.provider.prepared.discard((spec.cluster, spec.tag))

    await cluster(Plain(provider), 1, 1).launch(wait=False)
    driver = Troubled(Plain(provider), after=fail("start", "web", OSError("full")))
    error = await failed(cluster(driver, 3, 1))
    assert error.remaining == ("web-1", "web-2")
    record = ClusterFolder("c").record()
    assert record is not None
    assert {group.tag: group.count for group in record.groups} == {"web": 3, "db": 1}
    await cluster(Plain(provider)).destroy()
    assert provider.ids() == {}


def flaky(provider: Provider, *down: int) -> Driver:
    """Return a driver of which machines of these indices never start."""

    class Down(MemoryNode):
        async def start(self) -> Node:
            if self.index in down:
                raise RuntimeError("out of machines")
            return await super().start()

    return PerNode(lambda spec, index: Down(provider, spec, index))


async def test_a_minimum_accepts_fewer(provider: Provider) -> None:
    """With enough nodes the launch succeeds; what was given up is not missed later."""
    cloud = cluster(flaky(provider, 1, 3), web=4)
    nodes = await cloud.launch(wait=False, minimum=2)
    assert [node.name for node in nodes["web"]] == ["web-0", "web-2"]
    assert [node.name for node in nodes["db"]] == ["db-0"]
    assert set(await cloud.status()) == {"web-0", "web-2", "db-0"}
    record = ClusterFolder("c").record()
    assert record is not None
    assert {g.tag: g.absent for g in record.groups} == {"web": (1, 3), "db": ()}
    whole = await cluster(flaky(provider), web=4).launch(wait=False)
    assert [node.index for node in whole["web"]] == [0, 1, 2, 3]
    await cloud.destroy()
    assert files() == []


async def test_what_was_given_up_stays_so_when_fewer_are_asked_for(provider: Provider) -> None:
    """A later launch of fewer nodes does not make those gone that nobody misses."""
    await cluster(flaky(provider, 3), web=4).launch(wait=False, minimum=2)
    await cluster(flaky(provider), web=2).launch(wait=False)
    cloud = cluster(flaky(provider), web=2)
    assert set(await cloud.status()) == {"web-0", "web-1", "web-2", "db-0"}
    await cloud.destroy()


async def test_too_few_for_the_minimum_is_a_failure(provider: Provider) -> None:
    """Below the minimum all is taken back; a small group needs all of its nodes."""
    error = await failed(cluster(flaky(provider, 1, 2, 3), web=4), minimum=2)
    assert set(error.failures) == {"web-1", "web-2", "web-3"}
    error = await failed(cluster(flaky(provider, 0), web=4), minimum=1)
    assert set(error.failures) == {"web-0", "db-0"}
    assert (provider.ids(), files()) == ({}, [])


async def test_failed_nodes_are_removed_when_the_rest_is_enough(provider: Provider) -> None:
    """A new node that is there but not up is destroyed; an old one that is down stays."""

    async def halt(verb: str, spec: GroupSpec) -> None:
        if verb == "start" and spec.tag == "web":
            for index in (0, 3):
                provider.halt(spec, index)

    await cluster(Memory(provider), 2, 1).launch(wait=False)
    old = provider.ids()
    cloud = cluster(troubled(provider, after=halt), web=4)
    nodes = await cloud.launch(wait=False, minimum=1)
    assert [node.name for node in nodes["web"]] == ["web-1", "web-2"]
    assert await cloud.status() == {
        "web-0": Status.STOPPED,
        "web-1": Status.RUNNING,
        "web-2": Status.RUNNING,
        "db-0": Status.RUNNING,
    }
    assert old.items() <= provider.ids().items()
    await cloud.destroy()


async def test_a_failed_node_that_can_t_be_removed_fails_the_launch(provider: Provider) -> None:
    """If what failed would stay behind, nothing new stays but what can't be removed."""

    async def halt(verb: str, spec: GroupSpec) -> None:
        if verb == "start" and spec.tag == "web":
            provider.halt(spec, 1)

    driver = Troubled(Memory(provider), before=fail("discard", "web", OSError("stuck")), after=halt)
    await cluster(Memory(provider), 1, 1).launch(wait=False)
    error = await failed(cluster(driver, web=2), minimum=1)
    assert set(error.failures) == {"web-1"}
    assert error.remaining == ("web-1",)
    await cluster(Memory(provider)).destroy()


async def test_a_node_that_does_not_answer_in_time_fails(provider: Provider) -> None:
    """A machine on which nobody answers is tried until the time is over, and then removed."""
    cloud = Cloud([Group("web", 1, Memory(provider))], name="c")
    with pytest.raises(LaunchFailed) as caught:
        await cloud.launch(timeout=0.5)
    assert isinstance(caught.value.failures["web-0"], Unreachable)
    assert (provider.ids(), files()) == ({}, [])


async def test_a_node_that_stays_pending_fails_when_the_time_is_over(provider: Provider) -> None:
    """A machine that never gets an address is waited for, and then said to be pending."""

    class Slow(Memory):
        async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
            from dataclasses import replace

            nodes = await super().list(spec)
            return tuple(replace(n, status=Status.PENDING, address=None) for n in nodes)

    cloud = Cloud([Group("web", 1, Slow(provider))], name="c")
    with pytest.raises(LaunchFailed, match="web-0 is still pending"):
        await cloud.launch(timeout=0.3)
    assert provider.ids() == {}


@pytest.mark.parametrize("verb", ["list", "prepare", "start"])
async def test_a_driver_that_hangs_is_not_waited_for_for_ever(
    provider: Provider, verb: str
) -> None:
    """The time for a launch ends whatever the driver is at; then all is taken back."""
    hung = False

    async def hang(called: str, spec: GroupSpec) -> None:
        nonlocal hung
        if called == verb and spec.tag == "web" and not hung:
            hung = True
            await asyncio.Event().wait()

    with pytest.raises((ProviderError, LaunchFailed), match="no answer before the time was over"):
        await cluster(troubled(provider, before=hang)).launch(wait=False, timeout=0.2)
    assert (provider.ids(), provider.prepared, files()) == ({}, set(), [])


async def test_a_node_that_dies_while_it_comes_up_fails(provider: Provider) -> None:
    """A machine that stops before it answers is not waited for."""
    looks = 0

    async def stop(verb: str, spec: GroupSpec) -> None:
        nonlocal looks
        looks += verb == "list"
        if looks > 3:
            for index in provider.group(spec):
                provider.halt(spec, index)

    cloud = Cloud([Group("web", 1, troubled(provider, before=stop))], name="c")
    with pytest.raises(LaunchFailed, match=r"web-0 did not come up .*stopped"):
        await cloud.launch(timeout=60)
    assert provider.ids() == {}


async def test_failures_and_removals_are_reported(provider: Provider) -> None:
    """A watcher hears which node failed and why, and which nodes were removed again."""
    steps: list[Step] = []
    with pytest.raises(LaunchFailed):
        await cluster(flaky(provider, 1)).launch(wait=False, report=steps.append)
    (failure,) = [step for step in steps if step.stage is Stage.FAILED]
    assert failure.node == "web-1"
    assert isinstance(failure.error, ProviderError)
    removed = {step.node for step in steps if step.stage is Stage.REMOVED}
    assert removed == {"web-0", "db-0"}


async def test_a_bug_in_a_watcher_is_a_failure_too(provider: Provider) -> None:
    """Whatever ends a launch, what it made is taken back."""

    def report(step: Step) -> None:
        if step.stage is Stage.FAILED:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await cluster(flaky(provider, 1)).launch(wait=False, report=report)
    assert (provider.ids(), files()) == ({}, [])


async def test_start_takes_nothing_back() -> None:
    """`start` of a cluster that can't be started whole leaves running what does run."""
    async with launched(1) as cloud:
        before = await cloud.list()
        await cloud.stop()
        driver = Troubled(Local(), before=fail("start", "worker", OSError("full")))
        half = Cloud([Group("master", 1, driver), Group("worker", 1, driver)], name="voltron")
        with pytest.raises(LaunchFailed, match=r"worker-0: can't start .*full"):
            await half.start()
        after = await cloud.list()
        assert [node.id for node in after] == [node.id for node in before]
        assert [node.status for node in after] == [Status.RUNNING, Status.STOPPED]


async def test_a_setup_script_runs_once_on_each_node() -> None:
    """Each new node runs it before launch returns; launched again, no node does again."""
    script = 'echo "$TINYCLOUD_CLUSTER/$TINYCLOUD_NODE {}" >> log\n'
    async with destroyed_after(local(1, setup=script)) as cloud:
        for _ in range(2):
            await cloud.launch()
        more = local(2, setup=script)
        await more.launch()
        assert [r.text for r in (await more.execute("cat log")).check()] == [
            "voltron/master-0 {}\n",
            "voltron/worker-0 {}\n",
            "voltron/worker-1 {}\n",
        ]


async def test_a_setup_script_that_fails_fails_the_launch() -> None:
    """Its exit status and last words are told of, and it is not held to have run."""
    script = "echo one; echo no space left >&2; [ -e /nonexistent ]"
    cloud = local(0, setup=script)
    with pytest.raises(LaunchFailed) as caught:
        await cloud.launch()
    error = caught.value.failures["master-0"]
    assert isinstance(error, CommandFailed)
    assert str(error) == "the setup script failed on master-0 (exit status 1: no space left)"
    assert files() == []


async def test_a_failed_setup_script_runs_again() -> None:
    """On a node that was there before, a mended script is run by the next launch."""
    async with destroyed_after(local(0)) as cloud:
        await cloud.launch()
        with pytest.raises(LaunchFailed):
            await local(0, setup="false").launch()
        await local(0, setup="echo done > log").launch()
        assert (await cloud.execute("cat log")).check()[0].text == "done\n"


async def test_a_setup_script_that_takes_too_long_is_ended() -> None:
    """When the time for the launch is over, the script is ended on the node."""
    async with launched(0):
        slow = local(0, setup="echo $$ > pid; exec sleep 1000")
        async with slow:
            await slow.execute("true")  # so that the time is not spent on connecting
            with pytest.raises(LaunchFailed, match=r"setup script failed .*timed out after"):
                await slow.launch(timeout=2)
            (result,) = await slow.execute("cat pid; cat .tinycloud-setup")
        assert not psutil.pid_exists(int(result.stdout))
        assert result.state is State.FAILED


async def test_a_setup_script_too_long_for_ssh_is_refused_at_once() -> None:
    """Before anything is touched."""
    with pytest.raises(InvalidInput):
        await local(0, setup="#" * 200_000).launch()
    assert files() == []
