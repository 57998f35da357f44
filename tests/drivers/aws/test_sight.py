"""What is seen of a cluster: one look for all, and nothing forgotten that a call has just done."""

import asyncio
import logging
import time
from typing import Any

import pytest

from tinycloud.drivers.aws import sight as room
from tinycloud.drivers.aws.sight import Sight

from .test_instances import described


class EC2:
    """Shows what a test says."""

    def __init__(self, *shown: dict[str, Any]) -> None:
        self.shown = list(shown)
        self.looks: list[float] = []

    async def __call__(self, operation: str, **words: Any) -> dict[str, Any]:
        """Answer, as EC2 does to `describe_instances`."""
        self.looks.append(time.monotonic())
        await asyncio.sleep(0)
        return {"Reservations": [{"Instances": self.shown}]}


def changed(before: str, after: str, id_: str = "i-1") -> dict[str, Any]:
    """Return what EC2 answers to a call that moves an instance."""
    states = {"PreviousState": {"Name": before}, "CurrentState": {"Name": after}}
    return {"InstanceId": id_, **states}


def in_state(state: str) -> dict[str, Any]:
    """Return an instance in this state."""
    return described(State={"Name": state})


async def states(sight: Sight) -> list[str]:
    """Return the states that are seen in a new look."""
    return [one.state for one in await sight.look(since=time.monotonic())]


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks may follow each other sooner."""
    monkeypatch.setattr(room, "INTERVAL", 0.05)


async def test_one_look_serves_all() -> None:
    """Many who ask at once, or soon after, cause one look."""
    ec2 = EC2(in_state("running"))
    sight = Sight(ec2, "voltron")
    found = await asyncio.gather(*(sight.look() for _ in range(20)))
    assert {len(seen) for seen in found} == {1}
    assert len(ec2.looks) == 1


async def test_looks_are_spaced() -> None:
    """Whoever wants a new look waits until one is due."""
    ec2 = EC2()
    sight = Sight(ec2, "voltron")
    for _ in range(3):
        await sight.look(since=time.monotonic())
    first, second, third = ec2.looks
    assert second - first > 0.045
    assert third - second > 0.045


async def test_what_was_launched_is_there_before_it_is_shown() -> None:
    """And once it is shown, what EC2 says counts."""
    ec2 = EC2()
    sight = Sight(ec2, "voltron")
    sight.launched([in_state("pending")])
    assert await states(sight) == ["pending"]
    ec2.shown = [in_state("running")]
    assert await states(sight) == ["running"]


async def test_what_was_moved_has_moved() -> None:
    """EC2 may show for a while what was before; what comes after that is news."""
    ec2 = EC2(in_state("running"))
    sight = Sight(ec2, "voltron")
    await sight.look()
    for before, after, settled in (
        ("running", "stopping", "stopped"),
        ("stopped", "pending", "running"),
        ("running", "shutting-down", "terminated"),
    ):
        sight.moved([changed(before, after)])
        assert await states(sight) == [after]
        ec2.shown = [in_state(settled)]
        assert await states(sight) == [settled]


async def test_started_in_no_time() -> None:
    """A server that starts at once says so, and an older look does not tell otherwise."""
    ec2 = EC2(in_state("stopped"))
    sight = Sight(ec2, "voltron")
    await sight.look()
    sight.moved([changed("stopped", "running")])
    assert [one.state for one in await sight.look(since=0)] == ["running"]


async def test_a_glance_that_misses_it_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen to live and is not shown is held to live, for some time."""
    ec2 = EC2(in_state("running"))
    sight = Sight(ec2, "voltron")
    await sight.look()
    ec2.shown = []
    assert await states(sight) == ["running"]
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + room.VANISHED)
    assert await states(sight) == []


async def test_who_ends_of_itself_is_missed(caplog: pytest.LogCaptureFixture) -> None:
    """It is told that an instance has ended, and why; of those that we ended it is not."""
    ec2 = EC2(in_state("pending"))
    sight = Sight(ec2, "voltron")
    await sight.look()
    ec2.shown = [{**in_state("terminated"), "StateReason": {"Message": "Client.InvalidKMSKey"}}]
    with caplog.at_level(logging.WARNING, "tinycloud"):
        assert await states(sight) == ["terminated"]
        assert await states(sight) == ["terminated"]
    assert caplog.messages == ["worker-4 (i-1) has ended: Client.InvalidKMSKey"]
    caplog.clear()
    ec2.shown = [in_state("running")]
    other = Sight(ec2, "voltron")
    await other.look()
    other.moved([changed("running", "shutting-down")])
    ec2.shown = [in_state("terminated")]
    assert await states(other) == ["terminated"]
    assert caplog.messages == []
