"""How long nodes live: set at launch, again at a start, and moved on wish; sshd is Debian's."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from machines import Memory, Provider
from planted import Planted, Planting, planted

from tinycloud import Cloud, Group, InvalidInput, Status
from tinycloud.cloud.lifetime import deadline
from tinycloud.result import State
from tinycloud.store import ClusterFolder


@pytest.fixture
def server(program: Callable[[str], str]) -> Iterator[Planted]:
    """An sshd that is a node."""
    with planted(program) as one:
        yield one


def cluster(server: Planted, ttl: float | None = 3600) -> Cloud:
    """Return a cluster of that one node, to live so many seconds."""
    return Cloud([Group("node", 1, Planting(server), ttl=ttl)], name="c")


async def end(cloud: Cloud) -> datetime | None:
    """Return when the node's life ends, says its driver."""
    (node,) = await cloud.list()
    return node.expires_at


def noted(server: Planted) -> datetime:
    """Return the deadline that the node itself was told."""
    return datetime.fromisoformat(server.deadline.read_text().strip())


def hence(seconds: float, moment: datetime | None) -> bool:
    """Return whether a moment is so many seconds from now, give or take some."""
    assert moment is not None
    return abs((moment - datetime.now(UTC)).total_seconds() - seconds) < 30


async def test_the_record_keeps_the_time_to_live(server: Planted) -> None:
    """Who starts the nodes later knows how long they are to live then."""
    await cluster(server).launch(wait=False)
    record = ClusterFolder("c").record()
    assert record is not None
    assert record.groups[0].ttl == 3600


async def test_a_started_node_is_given_its_time_again(server: Planted) -> None:
    """The provider and the node are told of a new deadline; a new node knows its own already."""
    cloud = cluster(server)
    await cloud.launch()
    assert not server.deadline.exists()
    driver = cloud.groups[0].driver
    assert isinstance(driver, Planting)
    (node,) = await cloud.stop()
    driver.ends[node.id] = datetime.now(UTC) - timedelta(hours=1)
    await cloud.start()
    assert hence(3600, await end(cloud))
    assert noted(server) == await end(cloud)


async def test_a_node_that_runs_keeps_its_time(server: Planted) -> None:
    """Another launch moves nobody's end."""
    cloud = cluster(server)
    await cloud.launch()
    first = await end(cloud)
    await cluster(server, ttl=60).launch()
    assert await end(cloud) == first
    assert not server.deadline.exists()


async def test_extend(server: Planted) -> None:
    """Counted from now; provider and node agree. None is for ever."""
    cloud = cluster(server)
    await cloud.launch()
    (result,) = await cloud.extend(7200)
    assert result.ok
    assert hence(7200, await end(cloud))
    assert noted(server) == await end(cloud)
    assert (await cloud.extend(None)).ok
    assert await end(cloud) is None
    assert server.deadline.read_text() == "none\n"


async def test_extend_shortens_nothing(server: Planted) -> None:
    """A life that would end sooner is left as it was, and it is said until when it lasts."""
    cloud = cluster(server)
    await cloud.launch()
    before = await end(cloud)
    with pytest.raises(InvalidInput, match="node-0 would live shorter, not longer"):
        await cloud.extend(60)
    assert await end(cloud) == before
    assert not server.deadline.exists()


async def test_a_node_that_can_t_be_told(server: Planted) -> None:
    """It is an outcome of that node, not an error of the others."""
    cloud = cluster(server)
    await cloud.launch()
    server.stop()
    (result,) = await cloud.extend(7200)
    assert result.state is State.UNREACHABLE
    server.start()
    (result,) = await cloud.extend(9000)
    assert result.ok


async def test_nodes_without_an_end_have_none_to_move() -> None:
    """Nothing is changed where no node has a time to live, or none runs."""
    cloud = Cloud([Group("web", 2, Memory(Provider()))], name="c")
    await cloud.launch(wait=False)
    for status in (Status.RUNNING, Status.STOPPED):
        assert {node.status for node in await cloud.list()} == {status}
        with pytest.raises(InvalidInput, match="there is no life to extend"):
            await cloud.extend(60)
        await cloud.stop()


async def test_a_driver_that_can_t_says_so() -> None:
    """A driver need not be able to change how long nodes live."""
    driver = Memory(Provider())
    cloud = Cloud([Group("web", 1, driver)], name="c")
    nodes = (await cloud.launch(wait=False))["web"]
    with pytest.raises(InvalidInput, match="driver 'memory' can't change how long nodes live"):
        await driver.extend(driver.provider.specs[nodes[0].id], nodes, None)


def test_a_deadline_beyond_all_time() -> None:
    """It is bad input, not a bug."""
    with pytest.raises(InvalidInput, match="nothing lives for"):
        deadline(1e15)
