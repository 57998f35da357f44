"""Each trouble that EC2 can make, and what the driver makes of it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tinycloud import Cloud, Group, ProviderError, ResourcesRemain, TinycloudError
from tinycloud.drivers.aws import AWS

from .troubles.capacity import Capacity
from .troubles.invisible import Invisible, LateAddresses
from .troubles.lost import Garbage, LostReply
from .troubles.refused import Expired, Forbidden, Protected
from .troubles.throttling import Throttled
from .wire import Rule
from .world import World, hurry

NODES = ["master-0", "worker-0", "worker-1", "worker-2"]
ZONES = [f"us-east-1{letter}" for letter in "abcdef"]
TYPE = "t3.medium"

ON_THE_WAY: dict[str, Callable[[], Rule]] = {
    "throttled": lambda: Throttled(times=4),
    "launches throttled": lambda: Throttled("RunInstances", times=3),
    "an internal error": lambda: Throttled("RunInstances", code="InternalError", status=500),
    "launched, and nobody hears": lambda: LostReply("RunInstances"),
    "launched, and nobody hears, twice": lambda: LostReply("RunInstances", times=3),
    "not launched, and nobody hears": lambda: LostReply("RunInstances", undone=True),
    "launched, and garbage": lambda: Garbage("RunInstances", done=True, status=200),
    "a bad gateway": lambda: Garbage("RunInstances", done=True),
    "group made, and nobody hears": lambda: LostReply("CreateSecurityGroup"),
    "rules made, and nobody hears": lambda: LostReply("AuthorizeSecurityGroupIngress"),
    "looks are lost": lambda: LostReply("DescribeInstances", times=2),
    "looks are garbage": lambda: Garbage("DescribeInstances", times=2),
    "ended, and nobody hears": lambda: LostReply("TerminateInstances"),
    "group deleted, and nobody hears": lambda: LostReply("DeleteSecurityGroup"),
}
INSIDE: dict[str, Callable[[], Rule]] = {
    "invisible": lambda: Invisible(seconds=2),
    "flapping": lambda: Invisible(seconds=1, flapping=2),
    "late addresses": lambda: LateAddresses(seconds=1),
    "one zone is empty": lambda: Capacity({(ZONES[0], TYPE): 0}),
    "all zones but one are empty": lambda: Capacity({(zone, TYPE): 0 for zone in ZONES[:-1]}),
    "each zone has one": lambda: Capacity({(zone, TYPE): 1 for zone in ZONES}),
    "a type that a zone has not": lambda: Capacity({(ZONES[0], TYPE): 0}, "Unsupported", 400),
}


def some(names: Iterable[str], *, every: int) -> list[Any]:
    """Return these as parameters, of which each second one, say, is for a thorough run only."""
    thorough = pytest.mark.exhaustive
    return [
        pytest.param(name, marks=[thorough] if number % every else [])
        for number, name in enumerate(names)
    ]


def cloud(type_: str | tuple[str, ...] = TYPE) -> Cloud:
    """Return a cluster of a master and three workers."""
    driver = AWS(image="debian", allow=("192.0.2.7/32",), type=type_)
    return Cloud([Group("master", 1, driver), Group("worker", 3, driver)], name="voltron")


@pytest.fixture(autouse=True)
def _quick(ec2: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, ec2)


async def check_lived(ec2: World) -> None:
    """Launch and destroy; each node is there once, and then nothing is."""
    await cloud().launch(wait=False)
    assert sorted(ec2.nodes()) == NODES
    async with asyncio.timeout(30):
        while [node.name for node in await cloud().list()] != NODES:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    await cloud().destroy()
    assert ec2.left() == []


@pytest.mark.parametrize("name", some(ON_THE_WAY, every=2))
async def test_trouble_on_the_way(ec2: World, name: str) -> None:
    """The cluster is what was asked for all the same, and leaves nothing."""
    ec2.troubles.append(ON_THE_WAY[name]())
    await check_lived(ec2)


@pytest.mark.parametrize("name", some(INSIDE, every=2))
async def test_trouble_inside(ec2: World, name: str) -> None:
    """The cluster is what was asked for all the same, and leaves nothing."""
    ec2.shortages.append(INSIDE[name]())
    await check_lived(ec2)


async def test_no_zone_has_any(ec2: World) -> None:
    """The next type is taken where no zone has the first."""
    ec2.shortages.append(Capacity({("", TYPE): 1}))
    await cloud((TYPE, "t3.large")).launch(wait=False)
    assert sorted(ec2.nodes()) == NODES
    await cloud().destroy()
    assert ec2.left() == []


FATAL: dict[str, tuple[Rule, str]] = {
    "no capacity": (Capacity({("", TYPE): 2}), "InsufficientInstanceCapacity"),
    "quota": (Capacity({("", TYPE): 2}, "VcpuLimitExceeded", 400), "VcpuLimitExceeded"),
    "forbidden": (Forbidden("RunInstances"), "ec2:RunInstances"),
    "no permission for groups": (Forbidden("CreateSecurityGroup"), "ec2:CreateSecurityGroup"),
}


@pytest.mark.parametrize("name", FATAL)
async def test_a_launch_that_can_not_be(ec2: World, name: str) -> None:
    """It fails in EC2's words and ours, and what was launched of it is taken back."""
    trouble, code = FATAL[name]
    ec2.shortages.append(trouble)
    with pytest.raises(TinycloudError) as raised:
        await cloud().launch(wait=False)
    assert code in f"{raised.value} {raised.value.fix}"
    assert ec2.left() == []


@pytest.mark.parametrize("after", [0, 4, 8, 10])
async def test_credentials_that_expire(ec2: World, after: int) -> None:
    """Whenever that is, it is said, and with new ones `destroy` leaves nothing."""
    ec2.troubles.append(Expired(after))
    with pytest.raises(TinycloudError, match=r"expired|still there"):
        await cloud().launch(wait=False)
    ec2.troubles.clear()
    await cloud().destroy()
    assert ec2.left() == []


async def test_instances_that_are_protected(ec2: World) -> None:
    """Those of other zones are ended; what remains is named, with what removes it."""
    ec2.shortages.append(Capacity({(ZONES[0], TYPE): 1, (ZONES[1], TYPE): 2}))
    await cloud().launch(wait=False)
    ec2.troubles.append(Protected(zone=ZONES[0]))
    with pytest.raises(ResourcesRemain) as raised:
        await cloud().destroy()
    (left,) = ec2.instances()
    assert left in f"{raised.value} {raised.value.fix} {raised.value.remaining}"
    ec2.troubles.clear()
    await cloud().destroy()
    assert ec2.left() == []


async def test_no_credentials(ec2: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any, a plain sentence names the three ways to set them; nothing is called."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises((ProviderError, TinycloudError)) as raised:
        await cloud().launch(wait=False)
    assert "AWS_ACCESS_KEY_ID" in f"{raised.value} {raised.value.fix}"
    assert ec2.proxy.calls == []
