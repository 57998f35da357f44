"""PerNode: one driver for a group, made of one driver for each machine."""

import pytest
from machines import MemoryNode, Provider

from tinycloud import GroupSpec, Node, NodeDriver, PerNode, ProviderError, ResourcesRemain, Status
from tinycloud.pernode import LOOK_AHEAD


def spec(count: int) -> GroupSpec:
    """Return the spec of a group of this size."""
    return GroupSpec(cluster="c", tag="web", count=count)


class Failing(MemoryNode):
    """A machine of index 1 that can't do one thing."""

    verb = ""

    async def _maybe(self, verb: str) -> None:
        if verb == self.verb and self.index == 1:
            raise RuntimeError(f"can't {verb}")

    async def start(self) -> Node:
        await self._maybe("start")
        return await super().start()

    async def stop(self) -> None:
        await self._maybe("stop")
        await super().stop()

    async def destroy(self) -> None:
        await self._maybe("destroy")
        await super().destroy()

    async def list(self) -> Node:
        await self._maybe("list")
        return await super().list()


@pytest.fixture
def provider() -> Provider:
    """A provider that has no machines yet."""
    return Provider()


def failing(provider: Provider, failed: str) -> PerNode:
    """Return a driver of which machine 1 can't do `failed`."""

    class Kind(Failing):
        verb = failed

    return PerNode(lambda spec, index: Kind(provider, spec, index))


def statuses(provider: Provider) -> dict[int, Status]:
    """Return the status of each machine."""
    return {i: node.status for i, node in provider.group(spec(0)).items()}


@pytest.mark.parametrize(
    ("verb", "after"),
    [
        ("start", {0: Status.RUNNING, 2: Status.RUNNING}),
        ("stop", {0: Status.STOPPED, 1: Status.RUNNING, 2: Status.STOPPED}),
    ],
)
async def test_a_machine_that_fails_does_not_keep_the_others(
    provider: Provider, verb: str, after: dict[int, Status]
) -> None:
    """The others are still done with; then the error names the machine and its words."""
    if verb == "stop":
        await failing(provider, "").start(spec(3))
    with pytest.raises(ProviderError, match=f"web-1: can't {verb}"):
        await getattr(failing(provider, verb), verb)(spec(3))
    assert statuses(provider) == after


async def test_destroy_goes_on_and_names_what_remains(provider: Provider) -> None:
    """One machine that can't be destroyed is named, and is the only one that remains."""
    await failing(provider, "").start(spec(3))
    with pytest.raises(ResourcesRemain) as caught:
        await failing(provider, "destroy").destroy(spec(3))
    assert caught.value.remaining == ("web-1",)
    assert "can't destroy" in caught.value.cause
    assert set(statuses(provider)) == {1}


async def test_a_machine_that_can_t_be_seen_is_no_missing_one(provider: Provider) -> None:
    """A list without all machines is no list; destroy goes for what it can't see as well."""
    await failing(provider, "").start(spec(3))
    with pytest.raises(ProviderError, match="web-1: can't list"):
        await failing(provider, "list").list(spec(3))
    await failing(provider, "list").destroy(spec(0))
    assert statuses(provider) == {}


async def test_what_was_prepared_for_a_missing_machine_is_destroyed(provider: Provider) -> None:
    """Destroy undoes `prepare` also where no machine ever started."""
    driver = failing(provider, "")
    await driver.prepare(spec(2))
    assert len(provider.prepared) == 2
    await driver.destroy(spec(2))
    assert provider.prepared == set()


@pytest.mark.parametrize("gap", [1, LOOK_AHEAD - 1])
async def test_machines_beyond_a_gap_are_found(provider: Provider, gap: int) -> None:
    """Machines in a row may be missing, and those past them are found without a count."""
    driver = failing(provider, "")
    await driver.start(spec(gap + 12))
    await driver.discard(spec(0), range(3, 3 + gap))
    found = [node.index for node in await driver.list(spec(0))]
    assert found == [i for i in range(gap + 12) if i not in range(3, 3 + gap)]


async def test_a_count_leads_past_any_gap(provider: Provider) -> None:
    """Who knows how many there may be finds them past a gap of any length."""
    driver = failing(provider, "")
    await driver.start(spec(5 * LOOK_AHEAD))
    await driver.discard(spec(0), range(5 * LOOK_AHEAD - 1))
    assert await driver.list(spec(0)) == ()
    (last,) = await driver.list(spec(5 * LOOK_AHEAD))
    assert last.index == 5 * LOOK_AHEAD - 1


async def test_a_provider_that_is_down_is_not_asked_for_ever(provider: Provider) -> None:
    """If no machine can be looked at, looking ends all the same."""

    class Down(MemoryNode):
        async def list(self) -> Node:
            raise ConnectionError("no route")

    def factory(spec: GroupSpec, index: int) -> NodeDriver:
        return Down(provider, spec, index)

    with pytest.raises(ProviderError, match="no route"):
        await PerNode(factory).list(spec(2))
