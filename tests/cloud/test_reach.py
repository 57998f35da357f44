"""Why a node can't be reached: what its provider knows comes first, and never hides the error."""

import asyncio
from collections.abc import Collection

import pytest
from machines import Memory, Provider

from tinycloud import Cloud, Group, GroupSpec, LaunchFailed, Node, Reason, Unreachable
from tinycloud.cloud import reach

MOVED = Reason("your address has changed", "tinycloud allow c", shared=True)
STOPPING = Reason("it is shutting down", "wait")


class Knowing(Memory):
    """A driver that knows why nobody answers on port 1, and who may connect."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(Provider())
        self.reasons = reasons
        self.asked: list[str] = []
        self.allowed: list[tuple[str, ...]] = []

    async def explain(self, spec: GroupSpec, node: Node) -> tuple[Reason, ...]:
        self.asked.append(node.name)
        return self.reasons

    async def allow(self, spec: GroupSpec, networks: Collection[str]) -> tuple[str, ...]:
        self.allowed.append(tuple(networks))
        return ("192.0.2.1/32", *networks)


def cluster(driver: Memory, count: int = 1) -> Cloud:
    """Return a cluster of nodes that nobody can connect to."""
    return Cloud([Group("web", count, driver), Group("db", count, driver)], name="c")


async def test_a_login_says_the_likeliest_cause_first() -> None:
    """All causes are named, what we saw ourselves last; the remedy is that of the first."""
    cloud = cluster(Knowing(MOVED, STOPPING))
    await cloud.launch(wait=False)
    with pytest.raises(Unreachable) as caught:
        await cloud.login()
    assert caught.value.what == "can't reach web-0 at 127.0.0.1 port 1"
    first, second, last = caught.value.cause.split("; ")
    assert (first, second) == (MOVED.cause, STOPPING.cause)
    assert "refused" in last
    assert caught.value.fix == MOVED.fix


async def test_many_nodes_that_fail_alike_are_looked_into_once() -> None:
    """What holds for all of a group is said of each of them, and asked once for each group."""
    driver = Knowing(MOVED)
    cloud = cluster(driver, 5)
    await cloud.launch(wait=False)
    results = await cloud.execute("true")
    assert len(results) == 10
    assert all(MOVED.cause in (result.error or "") for result in results)
    assert sorted(name[:-2] for name in driver.asked) == ["db", "web"]


async def test_the_cause_of_one_node_is_not_that_of_others() -> None:
    """What holds for a node alone is said of that one."""
    driver = Knowing(STOPPING)
    cloud = cluster(driver, 3)
    await cloud.launch(wait=False)
    results = await cloud.execute("true", tag="web")
    found = [result.node.name for result in results if STOPPING.cause in (result.error or "")]
    assert found == driver.asked
    assert len(found) == 1


async def test_what_was_found_is_not_believed_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a block, a cause that was mended is not told again."""
    monkeypatch.setattr(reach, "FRESH", 0.0)
    driver = Knowing(MOVED)
    async with cluster(driver) as cloud:
        await cloud.launch(wait=False)
        await cloud.execute("true", tag="web")
        driver.reasons = ()
        (result,) = await cloud.execute("true", tag="web")
        assert MOVED.cause not in (result.error or "")


@pytest.mark.parametrize("trouble", [OSError("no network"), TimeoutError()])
async def test_a_provider_that_does_not_know(trouble: Exception) -> None:
    """If it can't be asked, the error is what it was."""

    class Lost(Knowing):
        async def explain(self, spec: GroupSpec, node: Node) -> tuple[Reason, ...]:
            raise trouble

    cloud = cluster(Lost())
    await cloud.launch(wait=False)
    with pytest.raises(Unreachable, match=r"can't reach web-0 .*refused"):
        await cloud.login()


async def test_a_provider_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody waits for an error: it is not kept back for long."""
    monkeypatch.setattr(reach, "EXPLAIN_TIMEOUT", 0.01)

    class Silent(Knowing):
        async def explain(self, spec: GroupSpec, node: Node) -> tuple[Reason, ...]:
            await asyncio.Event().wait()
            return ()

    cloud = cluster(Silent())
    await cloud.launch(wait=False)
    with pytest.raises(Unreachable, match="refused"):
        await cloud.login()


async def test_a_launch_whose_time_is_up_says_why() -> None:
    """A node that does not answer by the deadline fails with what its provider knows."""
    driver = Knowing(MOVED)
    cloud = Cloud([Group("web", 1, driver)], name="c")
    with pytest.raises(LaunchFailed) as caught:
        await cloud.launch(timeout=0.5)
    assert MOVED.cause in str(caught.value.failures["web-0"])
    assert caught.value.failures["web-0"].fix == MOVED.fix


async def test_allow_asks_each_driver_once() -> None:
    """The rules are the driver's: it is told once for all its groups, and says who may connect."""
    driver = Knowing()
    cloud = cluster(driver)
    await cloud.launch(wait=False)
    assert await cloud.allow(["10.0.0.0/8"]) == ("192.0.2.1/32", "10.0.0.0/8")
    assert driver.allowed == [("10.0.0.0/8",)]
