"""Instances are launched once each, wherever there is room, whatever becomes of the answers."""

import asyncio
import logging
import time
from collections import Counter
from dataclasses import replace

import pytest

from tinycloud import GroupSpec, InvalidInput, ProviderError
from tinycloud.drivers.aws import AWS
from tinycloud.errors import ClusterExists

from .client import client
from .troubles.capacity import Capacity
from .troubles.invisible import Invisible
from .troubles.lost import Garbage, LostReply
from .troubles.refused import Expired, Forbidden
from .troubles.throttling import Throttled
from .wire import Answer, Ask, Refused, Request
from .world import CANARY, World

pytestmark = pytest.mark.usefixtures("no_time")

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPDbaAnP0bDTWRu8W0dEFZB3Y3PBR2HQz0Nrw3JVtKBT"
SPEC = GroupSpec(
    cluster="voltron",
    tag="worker",
    count=3,
    authorized_keys=(KEY,),
    ttl=3600.0,
    generation="0123456789abcdef0123456789abcdef",
)


async def launched(driver: AWS, spec: GroupSpec = SPEC) -> list[int]:
    """Prepare and start a group; return the indices of its nodes."""
    async with driver:
        await driver.prepare(spec)
        return [node.index for node in await driver.start(spec)]


async def zones(*ids: str) -> Counter[tuple[str, str]]:
    """Return how many instances there are in each zone, by type."""
    async with client() as aws:
        seen = await aws.seen(*ids)
    return Counter(
        (one["Placement"]["AvailabilityZone"][-1], one["InstanceType"]) for one in seen.values()
    )


async def test_everything_is_in_one_call(ec2: World) -> None:
    """One launch makes a group: tagged, encrypted, its metadata guarded, its end set."""
    assert await launched(AWS()) == [0, 1, 2]
    (call,) = [call for call in ec2.proxy.calls if call.action == "RunInstances"]
    words = call.request.parameters
    assert (words["MaxCount"], words["MetadataOptions.HttpTokens"]) == ("3", "required")
    assert words["MetadataOptions.HttpPutResponseHopLimit"] == "1"
    assert words["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert words["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert words["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] == "true"
    kinds = {words[f"TagSpecification.{n}.ResourceType"] for n in (1, 2, 3)}
    assert kinds == {"instance", "volume", "network-interface"}
    assert not {"CreateTags", "ModifyInstanceAttribute"} & set(ec2.proxy.names())


async def test_the_group_lets_in_this_machine_only(ec2: World) -> None:
    """One call opens the ports to the caller, and everything among the nodes."""
    await launched(AWS(ports=(22, 8080)))
    assert ec2.proxy.count("AuthorizeSecurityGroupIngress") == 1
    async with client() as aws:
        found = await aws.client.describe_security_groups()
    (group,) = [one for one in found["SecurityGroups"] if one["GroupName"] != "default"]
    assert group["GroupName"] == "tinycloud-voltron-01234567"
    rules = {
        (r.get("FromPort"), tuple(i["CidrIp"] for i in r["IpRanges"]))
        for r in group["IpPermissions"]
    }
    assert rules == {(22, ("127.0.0.1/32",)), (8080, ("127.0.0.1/32",)), (None, ())}


@pytest.mark.parametrize("undone", [False, True])
async def test_a_lost_answer_is_asked_for_again(ec2: World, undone: bool) -> None:
    """The same token finds what was launched: there is no second one."""
    ec2.troubles.append(LostReply("RunInstances", times=2, undone=undone))
    assert await launched(AWS()) == [0, 1, 2]
    assert len(ec2.instances()) == 3


@pytest.mark.parametrize("done", [False, True])
async def test_what_is_no_answer_is_none(ec2: World, done: bool) -> None:
    """A page of a gateway in between, as an error or as if all were well, is not believed."""
    ec2.troubles.append(Garbage("RunInstances", done=done))
    ec2.troubles.append(Garbage("DescribeInstances", status=200, body=b"<html>hello"))
    assert await launched(AWS()) == [0, 1, 2]
    assert len(ec2.instances()) == 3


async def test_throttling_is_waited_for(ec2: World) -> None:
    """EC2 is asked again, later and later, and with the same token."""
    ec2.troubles.append(Throttled("RunInstances", times=2))
    ec2.troubles.append(Throttled("DescribeInstances", times=1, code="Throttling"))
    assert await launched(AWS()) == [0, 1, 2]
    tokens = [
        call.request.get("ClientToken") for call in ec2.proxy.calls if call.action == "RunInstances"
    ]
    assert (len(tokens), len(set(tokens))) == (3, 1)


async def test_no_room_in_a_zone(ec2: World, caplog: pytest.LogCaptureFixture) -> None:
    """A capacity error is not waited out: the next zone is asked at once, and it is said."""
    ec2.shortages.append(Capacity({("us-east-1a", "t3.medium"): 0}))
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING, "tinycloud"):
        assert await launched(AWS()) == [0, 1, 2]
    assert time.monotonic() - begun < 30
    assert await zones() == {("b", "t3.medium"): 3}
    assert "no t3.medium in us-east-1a (InsufficientInstanceCapacity)" in caplog.text


async def test_room_for_some(ec2: World) -> None:
    """What a zone has is taken; the rest is looked for in the next, and each index is one node."""
    ec2.shortages.append(Capacity({("us-east-1a", "t3.medium"): 1, ("us-east-1b", "t3.medium"): 1}))
    assert await launched(AWS()) == [0, 1, 2]
    assert await zones() == {("a", "t3.medium"): 1, ("b", "t3.medium"): 1, ("c", "t3.medium"): 1}


async def test_another_type(ec2: World) -> None:
    """When no zone has the first type, the second is taken."""
    ec2.shortages.append(Capacity({("", "m7i.large"): 0}))
    assert await launched(AWS(type=("m7i.large", "m6i.large"))) == [0, 1, 2]
    assert await zones() == {("a", "m6i.large"): 3}


async def test_no_room_anywhere(ec2: World) -> None:
    """What was tried is said, with the code, what it means, and what helps."""
    ec2.shortages.append(Capacity({("", "t3.medium"): 0}))
    with pytest.raises(ProviderError) as caught:
        await launched(AWS(zone="us-east-1a"))
    assert "no room for 3 nodes of group 'worker'" in caught.value.what
    assert "InsufficientInstanceCapacity" in caught.value.cause
    assert "another type or zone" in caught.value.fix
    assert ec2.instances() == {}


async def test_spot_and_back(ec2: World) -> None:
    """Where there is no spot capacity instances at the full price are taken, on wish only."""

    async def no_spot(request: Request, ask: Ask) -> Answer:
        if request.get("InstanceMarketOptions.MarketType") == "spot":
            raise Refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        return await ask(request)

    ec2.troubles.append(no_spot)
    with pytest.raises(ProviderError, match="no room"):
        await launched(AWS(spot=True))
    assert await launched(AWS(spot=True, fallback=True)) == [0, 1, 2]


async def test_a_cancelled_launch_knows_what_it_made(ec2: World) -> None:
    """A cancellation waits for EC2's answer, so that what is not shown yet is destroyed too."""
    ec2.troubles.append(Invisible(seconds=3.0))
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(request: Request, ask: Ask) -> Answer:
        if request.action == "RunInstances":
            loop.call_soon_threadsafe(asked.set)
            await asyncio.sleep(0.5)
        return await ask(request)

    ec2.troubles.append(slow)
    async with AWS() as driver:
        await driver.prepare(SPEC)
        task = asyncio.ensure_future(driver.start(SPEC))
        await asked.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert [node.index for node in await driver.list(SPEC)] == [0, 1, 2]
        await driver.destroy(SPEC)
    assert ec2.left() == []


async def test_new_instances_may_not_be_seen_yet(ec2: World) -> None:
    """What EC2 has launched is listed, though it does not show it for a while."""
    ec2.troubles.append(Invisible(seconds=3.0))
    async with AWS() as driver:
        await driver.prepare(SPEC)
        made = await driver.start(SPEC)
        assert [node.index for node in await driver.list(SPEC)] == [0, 1, 2]
        assert [node.index for node in await driver.start(SPEC)] == [0, 1, 2]
        await driver.destroy(SPEC)
    assert len(made) == 3
    assert ec2.left() == []


async def test_instances_that_flicker_are_there(ec2: World) -> None:
    """What was seen once is not launched again because one look misses it."""
    ec2.troubles.append(Invisible(seconds=0.0, flapping=2))
    async with AWS() as driver:
        await driver.prepare(SPEC)
        await driver.start(SPEC)
        for _ in range(3):
            await asyncio.sleep(1.0)
            assert [node.index for node in await driver.start(SPEC)] == [0, 1, 2]
    assert len(ec2.instances()) == 3


async def test_a_launch_that_another_began(ec2: World) -> None:
    """Whoever died after the call had no answer; whoever comes later adopts what it made."""
    ec2.troubles.append(Invisible(seconds=4.0))
    assert await launched(AWS()) == [0, 1, 2]
    assert await launched(AWS()) == [0, 1, 2]  # another driver: it has seen nothing
    assert len(ec2.instances()) == 3


async def test_what_has_ended_is_launched_anew(ec2: World) -> None:
    """A token whose instances are gone is not used again, neither by us nor by others."""
    for _ in range(3):
        driver = AWS()
        assert await launched(driver) == [0, 1, 2]
        await driver.destroy(SPEC)
        assert ec2.left() == []


async def test_another_cluster_of_the_name(ec2: World) -> None:
    """It is left alone, and named: nothing is launched beside it."""
    await launched(AWS())
    other = replace(SPEC, generation="f" * 32)
    with pytest.raises(ClusterExists, match=SPEC.generation) as caught:
        await AWS().prepare(other)
    assert "tinycloud destroy voltron --driver aws --region us-east-1" in caught.value.fix
    await AWS().destroy(other)
    assert len(ec2.instances()) == 3
    assert len(await AWS().list(replace(SPEC, generation=""))) == 3


async def test_later_nodes_are_like_the_first(ec2: World) -> None:
    """A group grows with the image that it was made from, whatever is the newest by then."""
    await launched(AWS(image="debian"))
    assert await launched(AWS(), replace(SPEC, count=5)) == [0, 1, 2, 3, 4]
    async with client() as aws:
        seen = await aws.seen()
    assert len({one["ImageId"] for one in seen.values()}) == 1
    with pytest.raises(InvalidInput, match="made from image"):
        await launched(AWS(image="ami-00bbbb86000000001"), replace(SPEC, count=6))


@pytest.mark.parametrize(
    ("trouble", "said", "fix"),
    [
        (Forbidden("RunInstances"), "UnauthorizedOperation", "ec2:RunInstances"),
        (Expired(after=3), "RequestExpired", "new credentials"),
        (
            Forbidden("RunInstances", "VcpuLimitExceeded", "You have requested more vCPU", 400),
            "VcpuLimitExceeded",
            "servicequotas",
        ),
        (Forbidden("RunInstances", "NeverHeardOf", "Oh no", 400), "NeverHeardOf", "EC2 API"),
    ],
)
async def test_refused_for_good(ec2: World, trouble: object, said: str, fix: str) -> None:
    """The code is named, and what helps; nothing is asked twice, and nothing is left running."""
    ec2.troubles.append(trouble)  # type: ignore[arg-type]  # one rule or another
    with pytest.raises(ProviderError) as caught:
        await launched(AWS())
    assert said in caught.value.what
    assert fix in caught.value.fix
    assert CANARY not in f"{caught.value!r}{caught.value}"
    assert ec2.proxy.count("RunInstances") <= 1
    assert ec2.instances() == {}


async def test_a_key_that_is_not_there(ec2: World) -> None:
    """Nothing settles that nobody made: a name typed wrong is said at once."""
    ec2.troubles.append(
        Forbidden(
            "RunInstances", "InvalidKeyPair.NotFound", "The key pair 'no' does not exist", 400
        )
    )
    with pytest.raises(ProviderError, match="no such key pair") as caught:
        await launched(AWS(key="no"))
    assert "leave -k out" in caught.value.fix
    assert ec2.proxy.count("RunInstances") == 1


async def test_a_group_that_is_not_known_everywhere_yet(ec2: World) -> None:
    """What was made a moment ago is waited for."""
    said = "The security group 'sg-01234567' does not exist"

    async def forgetful(request: Request, ask: Ask) -> Answer:
        concerned = request.action in ("AuthorizeSecurityGroupIngress", "RunInstances")
        if concerned and ec2.proxy.count(request.action) <= 2:
            raise Refused("InvalidGroup.NotFound", said)
        return await ask(request)

    ec2.troubles.append(forgetful)
    assert await launched(AWS()) == [0, 1, 2]


async def test_without_credentials(ec2: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three ways to give them are named; making a driver asks for nothing."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    driver = AWS()
    with pytest.raises(InvalidInput, match="no credentials for AWS") as caught:
        await driver.list(SPEC)
    assert all(way in caught.value.fix for way in ("aws configure", "sso login", "AWS_ACCESS_KEY"))


async def test_the_place_is_recorded(ec2: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes the driver again looks in the same region, whatever is the default by then."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    driver = AWS(size=20, ports=(443,))
    assert driver.options == {"size": 20, "ports": [22, 443]}
    async with driver:
        pass
    assert driver.options == {"size": 20, "ports": [22, 443], "region": "eu-west-1"}
    assert AWS(**driver.options).options == driver.options  # type: ignore[arg-type]


def test_a_driver_shows_how_it_was_made() -> None:
    """That is all that its `repr` holds."""
    assert repr(AWS(key="mykey")) == "AWS(key='mykey')"
