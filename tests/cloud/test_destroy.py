"""Destroy goes on past failures, names what is left, and forgets nothing that is."""

import asyncio
from pathlib import Path

import pytest
import steps
from clusters import files, ids, launched, local, node_processes
from machines import Memory, MemoryNode, Provider, Troubled, fail

from tinycloud import (
    Cloud,
    ClusterBusy,
    Driver,
    Group,
    GroupSpec,
    LaunchFailed,
    Node,
    PerNode,
    ProviderError,
    ResourcesRemain,
    State,
    Status,
)
from tinycloud.cloud.destroy import surely_gone
from tinycloud.store import ClusterFolder


@pytest.fixture
def provider() -> Provider:
    """A provider that has no machines yet."""
    return Provider()


def cluster(driver: Driver, *, other: Driver | None = None) -> Cloud:
    """Return a cluster of two groups, the second perhaps of another driver."""
    return Cloud([Group("web", 2, driver), Group("db", 1, other or driver)], name="c")


async def test_destroy_leaves_nothing(state: Path, tmp_path: Path) -> None:
    """No process, file or folder is left of the cluster; what was not its own is."""
    (tmp_path / "mine").write_text("keep me")
    cloud = local(2)
    await cloud.launch()
    await cloud.execute("sleep 1000 >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 &")
    assert len(node_processes()) >= 3
    results = await cloud.destroy()
    assert [(r.node.name, r.state) for r in results] == [
        ("master-0", State.OK),
        ("worker-0", State.OK),
        ("worker-1", State.OK),
    ]
    assert node_processes() == []
    assert [path.name for path in left(tmp_path)] == ["mine"]


def left(folder: Path) -> list[Path]:
    """Return what is in a folder."""
    return list(folder.iterdir())


async def test_destroyed_twice_is_destroyed_once() -> None:
    """To destroy what is not there is no error, and leaves no trace."""
    cloud = local(0)
    await cloud.launch()
    await cloud.destroy()
    assert await cloud.destroy() == ()
    assert files() == []


async def test_another_cluster_is_left_alone(provider: Provider) -> None:
    """A cluster of a similar name keeps its nodes, record, key and pins."""
    cloud, other = (Cloud([Group("web", 1, Memory(provider))], name=name) for name in ("c", "c-2"))
    await cloud.launch(wait=False)
    await other.launch(wait=False)
    kept = set(files("*"))
    await cloud.destroy()
    assert set(provider.ids()) == {"c-2/web-0"}
    assert set(files("*")) == kept - {"c"}
    await other.destroy()
    assert files() == []


async def test_it_goes_on_past_a_failure_and_names_what_is_left(provider: Provider) -> None:
    """One group that can't be destroyed keeps no other; the record stays; a second try ends it."""
    await cluster(Memory(provider)).launch(wait=False)
    stuck = Troubled(Memory(provider), before=fail("destroy", "web", OSError("stuck")))
    with pytest.raises(ResourcesRemain) as caught:
        await cluster(stuck).destroy()
    error = caught.value
    assert error.remaining == ("web-0", "web-1")
    assert error.what == "still there: web-0, web-1"
    assert error.cause == "can't destroy group 'web' (OSError: stuck)"
    assert error.fix == "tinycloud destroy c"
    assert set(provider.ids()) == {"c/web-0", "c/web-1"}
    record = ClusterFolder("c").record()
    assert record is not None
    assert [group.tag for group in record.groups] == ["web", "db"]
    assert ClusterFolder("c").login_key() is not None
    results = await cluster(Memory(provider)).destroy()
    assert [result.node.name for result in results] == ["web-0", "web-1"]
    assert (provider.ids(), files()) == ({}, [])


async def test_what_a_driver_says_remains_is_believed(provider: Provider) -> None:
    """Names of things that are no nodes are passed on, and no node is called destroyed then."""
    await cluster(Memory(provider)).launch(wait=False)
    error = ResourcesRemain("a disk remains", remaining=("disk-7",))
    stuck = Troubled(Memory(provider), after=fail("destroy", "db", error))
    with pytest.raises(ResourcesRemain) as caught:
        await cluster(stuck).destroy()
    assert caught.value.remaining == ("disk-7",)
    await cluster(Memory(provider)).destroy()


async def test_unknown_is_not_gone(provider: Provider) -> None:
    """If a group can neither be destroyed nor listed, the whole group is said to remain."""

    async def down(verb: str, spec: GroupSpec) -> None:
        if spec.tag == "web":
            raise ConnectionError("no route")

    await cluster(Memory(provider)).launch(wait=False)
    with pytest.raises(ResourcesRemain) as caught:
        await cluster(Troubled(Memory(provider), before=down)).destroy()
    assert caught.value.remaining == ("group web",)
    assert set(provider.ids()) == {"c/web-0", "c/web-1"}
    await cluster(Memory(provider)).destroy()


async def test_what_can_t_be_listed_may_still_be_destroyed(provider: Provider) -> None:
    """A driver that can't list is asked to destroy all the same."""
    await cluster(Memory(provider)).launch(wait=False)
    blind = Troubled(Memory(provider), before=fail("list", "web", OSError("no rights")))
    results = await cluster(blind).destroy()
    assert [result.node.name for result in results] == ["db-0"]
    assert (provider.ids(), files()) == ({}, [])


async def test_a_driver_that_can_t_be_opened_keeps_no_other(provider: Provider) -> None:
    """With two providers, one of which is out of reach, the other's nodes are destroyed."""

    class Locked(Memory):
        async def __aenter__(self) -> "Locked":
            raise PermissionError("no credentials")

    other = Provider()
    await cluster(Memory(provider), other=Memory(other)).launch(wait=False)
    with pytest.raises(ResourcesRemain, match="no credentials") as caught:
        await cluster(Memory(provider), other=Locked(other)).destroy()
    assert caught.value.remaining == ("group db",)
    assert (provider.ids(), set(other.ids())) == ({}, {"c/db-0"})
    await cluster(Memory(provider), other=Memory(other)).destroy()
    assert (other.ids(), files()) == ({}, [])


async def test_some_of_the_groups_can_be_destroyed(provider: Provider) -> None:
    """A Cloud with some of the recorded groups destroys those, and forgets no other."""
    whole = cluster(Memory(provider))
    await whole.launch(wait=False)
    db = Cloud(whole.groups[1:], name="c")
    folder = ClusterFolder("c")
    node = (await db.list())[0]
    folder.pin(node.id, "ssh-ed25519 AAAA")
    await db.destroy()
    assert set(provider.ids()) == {"c/web-0", "c/web-1"}
    record = folder.record()
    assert record is not None
    assert [(group.tag, group.count) for group in record.groups] == [("web", 2)]
    assert folder.pinned(node.id) is None
    assert folder.login_key() is not None
    await Cloud(whole.groups[:1], name="c").destroy()
    assert (provider.ids(), files()) == ({}, [])


async def test_some_of_the_groups_can_be_launched(provider: Provider) -> None:
    """A Cloud with some of the recorded groups, or further ones, forgets no other."""
    driver = Memory(provider)
    await cluster(driver).launch(wait=False)
    await Cloud([Group("db", 2, driver), Group("new", 1, driver)], name="c").launch(wait=False)
    record = ClusterFolder("c").record()
    assert record is not None
    assert {g.tag: g.count for g in record.groups} == {"web": 2, "db": 2, "new": 1}
    stuck = Troubled(driver, after=fail("start", "new", OSError("full")))
    with pytest.raises(LaunchFailed, match="full"):
        await Cloud([Group("new", 3, stuck)], name="c").launch(wait=False)
    assert ClusterFolder("c").record() == record
    groups = [Group(tag, 1, driver) for tag in ("web", "db", "new")]
    assert len(await Cloud(groups, name="c").destroy()) == 5
    assert files() == []


async def test_more_nodes_than_asked_for_are_destroyed_too(provider: Provider) -> None:
    """A Cloud made with fewer nodes than there are destroys all of them."""
    await cluster(Memory(provider)).launch(wait=False)
    small = Cloud([Group("web", 0, Memory(provider)), Group("db", 0, Memory(provider))], name="c")
    assert len(await small.destroy()) == 3
    assert provider.ids() == {}


async def test_what_is_far_from_the_others_is_found_by_what_is_recorded(
    provider: Provider,
) -> None:
    """A lone node past a wide gap is listed, kept by a failed launch, and destroyed."""

    def driver() -> Driver:
        return PerNode(lambda spec, index: MemoryNode(provider, spec, index))

    await Cloud([Group("web", 40, driver())], name="c").launch(wait=False)
    group = provider.machines["c", "web"]
    for index in range(39):
        del group[index]
    last = group[39]
    cloud = Cloud([Group("web", 1, driver())], name="c")
    assert await cloud.list() == (last,)
    assert len(await cloud.status()) == 40
    stuck = Troubled(driver(), after=fail("start", "web", OSError("full")))
    with pytest.raises(LaunchFailed):
        await Cloud([Group("web", 1, stuck)], name="c").launch(wait=False)
    assert group == {39: last}
    assert [result.node for result in await cloud.destroy()] == [last]
    assert (provider.ids(), provider.prepared, files()) == ({}, set(), [])


def test_what_is_surely_gone() -> None:
    """Of nodes, those that don't remain; none if something remains that is no node."""
    web = tuple(Node(tag="web", index=i, id=str(i), status=Status.RUNNING) for i in range(3))
    assert surely_gone(web, ()) == web
    assert surely_gone(web, ("web-1",)) == (web[0], web[2])
    assert surely_gone(web, ("web-1", "disk-7")) == ()
    assert surely_gone(web, ("group web",)) == ()


async def test_a_cancelled_destroy_can_be_completed(provider: Provider) -> None:
    """Cancelled half-way the cluster is still known, and a second destroy ends it."""
    begun = asyncio.Event()

    async def hang(verb: str, spec: GroupSpec) -> None:
        if (verb, spec.tag) == ("destroy", "db"):
            begun.set()
            await asyncio.Event().wait()

    await cluster(Memory(provider)).launch(wait=False)
    task = asyncio.ensure_future(cluster(Troubled(Memory(provider), before=hang)).destroy())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ClusterFolder("c").record() is not None
    assert "c/db-0" in provider.ids()
    await cluster(Memory(provider)).destroy()
    assert (provider.ids(), files()) == ({}, [])


def test_cancelled_after_any_step_a_destroy_can_be_completed(provider: Provider) -> None:
    """Wherever it waits, a cancelled destroy leaves a cluster that a second one ends."""
    whole = cluster(Memory(provider))
    asyncio.run(launch(whole))
    last = steps.run(whole.destroy()).steps
    assert last > 10
    for step in range(1, last):
        asyncio.run(launch(whole))
        assert steps.run(whole.destroy(), cancel_at=[step]).cancelled
        if provider.ids():
            assert ClusterFolder("c").record() is not None
        steps.run(whole.destroy())
        assert (provider.ids(), provider.prepared, files()) == ({}, set(), [])


async def launch(cloud: Cloud) -> None:
    """Launch without waiting for SSH."""
    await cloud.launch(wait=False)


async def test_a_folder_made_for_the_work_goes_with_it(provider: Provider) -> None:
    """Where nothing is kept of a cluster, `stop`, and a `destroy` that fails, keep nothing."""
    await cluster(Memory(provider)).launch(wait=False)
    ClusterFolder("c").remove()
    await cluster(Memory(provider)).stop()
    assert files() == []
    stuck = Troubled(Memory(provider), before=fail("destroy", "web", OSError("stuck")))
    with pytest.raises(ResourcesRemain):
        await cluster(stuck).destroy()
    assert files() == []
    assert len(await cluster(Memory(provider)).destroy()) == 2


async def test_a_busy_cluster_is_not_destroyed() -> None:
    """While another is at work on the cluster it is left alone, and that one is named."""
    async with launched(0) as cloud:
        before = await cloud.list()
        with ClusterFolder("voltron").locked(), pytest.raises(ClusterBusy, match="process "):
            await local(0).destroy()
        assert ids(await cloud.list()) == ids(before)


async def test_stop_goes_on_past_a_failure(provider: Provider) -> None:
    """One group that can't be stopped keeps no other from being stopped; then it is raised."""
    await cluster(Memory(provider)).launch(wait=False)
    stuck = Troubled(Memory(provider), before=fail("stop", "web", OSError("stuck")))
    with pytest.raises(ProviderError, match="can't stop group 'web'"):
        await cluster(stuck).stop()
    assert {name: str(s) for name, s in (await cluster(Memory(provider)).status()).items()} == {
        "web-0": "running",
        "web-1": "running",
        "db-0": "stopped",
    }
    await cluster(Memory(provider)).destroy()
