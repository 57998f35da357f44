"""The roster: looks at the provider once for all who wait, and not too often."""

import asyncio
import time
from dataclasses import replace

import pytest

from tinycloud import Node, ProviderError, Status, Unreachable
from tinycloud.cloud.roster import FIRST_INTERVAL, Roster

PENDING = tuple(Node(tag="web", index=i, id=str(i), status=Status.PENDING) for i in range(20))


class Provider:
    """Gives all nodes an address at the third look."""

    def __init__(self) -> None:
        self.looks: list[float] = []
        self.nodes = PENDING

    async def look(self) -> tuple[Node, ...]:
        """Return the nodes, as `Driver.list` does."""
        self.looks.append(time.monotonic())
        if len(self.looks) == 3:
            running = Status.RUNNING
            self.nodes = tuple(replace(n, status=running, address="::1") for n in self.nodes)
        return self.nodes


async def test_one_look_serves_all_who_wait() -> None:
    """Twenty nodes that wait for an address ask the provider three times, not sixty."""
    provider = Provider()
    roster = Roster("web", PENDING, provider.look)
    deadline = time.monotonic() + 30
    found = await asyncio.gather(*(roster.addressed(i, deadline) for i in range(20)))
    assert [node.index for node in found] == list(range(20))
    assert {node.address for node in found} == {"::1"}
    assert len(provider.looks) == 3
    assert roster.nodes == provider.nodes


async def test_a_node_that_has_an_address_need_not_run() -> None:
    """Whoever knows where a node will answer may begin to ask there."""
    nodes = (replace(PENDING[0], address="::1"), *PENDING[1:])
    provider = Provider()
    found = await Roster("web", nodes, provider.look).addressed(0, time.monotonic() + 30)
    assert (found.status, found.address, provider.looks) == (Status.PENDING, "::1", [])


async def test_looks_are_spaced() -> None:
    """There is some time between two looks, and more each time."""
    provider = Provider()
    begun = time.monotonic()
    await Roster("web", PENDING, provider.look).addressed(0, begun + 30)
    gaps = [b - a for a, b in zip([begun, *provider.looks], provider.looks, strict=False)]
    assert gaps[0] >= FIRST_INTERVAL
    assert gaps[0] < gaps[1] < gaps[2]


async def test_a_node_that_is_not_on_its_way_is_not_waited_for() -> None:
    """Missing, stopped or terminated: each is said at once."""
    nodes = tuple(
        replace(node, status=status)
        for node, status in zip(PENDING, (Status.STOPPED, Status.TERMINATED), strict=False)
    )
    roster = Roster("web", nodes, Provider().look)
    for index, cause in ((0, "stopped"), (1, "terminated"), (7, "no machine")):
        with pytest.raises(Unreachable, match=f"web-{index} did not come up .*{cause}"):
            await roster.addressed(index, time.monotonic() + 30)


async def test_waiting_ends_with_the_deadline_however_long_a_look_takes() -> None:
    """A provider that does not answer is not waited for longer than that."""

    async def look() -> tuple[Node, ...]:
        await asyncio.Event().wait()
        return ()

    with pytest.raises(ProviderError, match="web-3 is still pending"):
        await Roster("web", PENDING, look).addressed(3, time.monotonic() + 0.2)


async def test_what_a_look_raises_reaches_who_waits() -> None:
    """An error of the provider ends the wait of each."""

    async def look() -> tuple[Node, ...]:
        raise ProviderError("down", fix="wait")

    roster = Roster("web", PENDING, look)
    waits = (roster.addressed(i, time.monotonic() + 30) for i in range(2))
    found = await asyncio.gather(*waits, return_exceptions=True)
    assert [str(error) for error in found] == ["down", "down"]
