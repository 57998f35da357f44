"""What is open while verbs run: warm connections inside the block, nothing outside of it."""

import asyncio

import psutil
import pytest
from clusters import kill, launched, local
from machines import Memory, Provider

from tinycloud import Cloud, Group, InvalidInput, Node, NoSuchCluster, ProviderError


def connections(nodes: tuple[Node, ...]) -> set[int]:
    """Return our ends (the ports) of the connections that we have to these nodes."""
    ports = {node.port for node in nodes}
    found = psutil.Process().net_connections("tcp")
    return {c.laddr.port for c in found if c.raddr and c.raddr.port in ports}


async def test_connections_stay_warm_inside_the_block() -> None:
    """Within the block each node is connected to once, whatever is done; leaving closes all."""
    async with launched(1) as cloud:
        nodes = await cloud.list()
        assert connections(nodes) == set()
        async with cloud:
            assert connections(nodes) == set()
            await cloud.execute("true")
            first = connections(nodes)
            assert len(first) == 2
            await cloud.launch()
            await asyncio.gather(cloud.execute("true"), cloud.execute("true"), cloud.status())
            assert connections(nodes) == first
        assert connections(nodes) == set()


async def test_without_the_block_nothing_stays_open() -> None:
    """Each verb opens what it needs, and closes it."""
    async with launched(1) as cloud:
        nodes = await cloud.list()
        assert (await cloud.execute("true")).ok
        assert connections(nodes) == set()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_two_verbs_at_once_without_the_block() -> None:
    """Verbs of an unopened Cloud don't get into each other's way."""
    async with launched(1) as cloud:
        one, two, status, nodes = await asyncio.gather(
            cloud.execute("sleep 0.2; echo one"),
            cloud.execute("echo two"),
            cloud.status(),
            cloud.list(),
        )
        assert {result.text for result in one.check()} == {"one\n"}
        assert {result.text for result in two.check()} == {"two\n"}
        assert list(status) == [node.name for node in nodes]


async def test_a_dead_connection_is_replaced() -> None:
    """A node that died and came back within the block is connected to again."""
    async with launched(0) as cloud, cloud:
        await cloud.execute("true")
        kill((await cloud.list())[0])
        assert not (await cloud.execute("true")).ok
        await cloud.launch()
        assert (await cloud.execute("true")).ok


async def test_leaving_the_block_destroys_nothing() -> None:
    """Nodes live on when the block is left, also by an exception."""
    async with launched(0) as cloud:
        before = await cloud.list()
        with pytest.raises(ZeroDivisionError):
            async with cloud:
                raise ZeroDivisionError
        assert await cloud.list() == before


async def test_the_block_is_entered_once_at_a_time() -> None:
    """Entered again within the block it is refused; left, it can be entered again."""
    driver = Memory(Provider())
    cloud = Cloud([Group("web", 1, driver)], name="c")
    async with cloud:
        assert driver.blocks == 1
        with pytest.raises(InvalidInput, match="open already"):
            await cloud.__aenter__()
    assert driver.blocks == 0
    both = await asyncio.gather(cloud.__aenter__(), cloud.__aenter__(), return_exceptions=True)
    assert [type(one) for one in both] == [Cloud, InvalidInput]
    await cloud.__aexit__(None, None, None)
    assert driver.blocks == 0


async def test_a_driver_shared_by_groups_is_opened_once() -> None:
    """A block opens each driver object once, however many groups it serves."""
    driver, other = Memory(Provider()), Memory(Provider())
    groups = [Group("a", 1, driver), Group("b", 1, driver), Group("c", 1, other)]
    async with Cloud(groups, name="c"):
        assert (driver.blocks, other.blocks) == (1, 1)
    assert (driver.blocks, other.blocks) == (0, 0)


async def test_drivers_that_were_opened_are_closed_if_another_can_t_be() -> None:
    """If the block can't be entered, nothing stays open, and it can be tried again."""

    class Shy(Memory):
        shy = True

        async def __aenter__(self) -> "Shy":
            if self.shy:
                raise asyncio.CancelledError
            return await super().__aenter__()

    driver, shy = Memory(Provider()), Shy(Provider())
    cloud = Cloud([Group("a", 1, driver), Group("b", 1, shy)], name="c")
    with pytest.raises(asyncio.CancelledError):
        await cloud.__aenter__()
    assert driver.blocks == 0
    shy.shy = False
    async with cloud:
        assert (driver.blocks, shy.blocks) == (1, 1)


async def test_what_began_to_close_is_closed_whole() -> None:
    """A cancellation while a driver closes waits until it has; then it is raised."""

    class Slow(Memory):
        def __init__(self) -> None:
            super().__init__(Provider())
            self.closing, self.go_on = asyncio.Event(), asyncio.Event()
            self.closed = False

        async def __aexit__(self, *_: object) -> None:
            self.closing.set()
            await self.go_on.wait()
            self.closed = True

    driver = Slow()
    task = asyncio.ensure_future(Cloud([Group("a", 1, driver)], name="c").list())
    await driver.closing.wait()
    task.cancel()
    await asyncio.sleep(0)
    driver.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert driver.closed


async def test_a_failure_to_close_hides_no_other_error() -> None:
    """What went wrong first is what is raised; alone, a failure to close is raised as ours."""

    class Broken(Memory):
        async def __aexit__(self, *_: object) -> None:
            raise OSError("won't close")

    cloud = Cloud([Group("a", 1, Broken(Provider()))], name="c")
    with pytest.raises(NoSuchCluster):
        await cloud.execute("true")
    with pytest.raises(ProviderError, match=r"can't close a driver \(OSError: won't close\)"):
        await cloud.list()


def test_a_cloud_shows_what_it_is() -> None:
    """Its repr states name, groups and sizes."""
    assert repr(local(3)) == "<Cloud 'voltron': master x 1, worker x 3>"
