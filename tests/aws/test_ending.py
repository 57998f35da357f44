"""Nothing is left of what was destroyed, and what can't be is named with what removes it."""

import asyncio
from dataclasses import replace

import pytest

from tinycloud import InvalidInput, ResourcesRemain, Status
from tinycloud.drivers.aws import AWS, ending

from .client import client
from .test_launching import SPEC, launched
from .troubles.invisible import Invisible
from .troubles.refused import Forbidden, Protected
from .troubles.throttling import Throttled
from .wire import Answer, Ask, Refused, Request
from .world import World

pytestmark = pytest.mark.usefixtures("no_time")

MASTER = replace(SPEC, tag="master", count=1)


async def test_the_last_group_takes_all_with_it(ec2: World) -> None:
    """The security group stays for as long as a group of the cluster needs it."""
    await launched(AWS())
    await launched(AWS(), MASTER)
    await AWS().destroy(SPEC)
    assert len(ec2.instances()) == 1
    assert len(ec2.left()) == 3  # with its volume, and the group
    await AWS().destroy(MASTER)
    assert ec2.left() == []


async def test_groups_end_at_once(ec2: World) -> None:
    """Two that are destroyed at the same time leave nothing to each other."""
    async with AWS() as driver:
        for spec in (SPEC, MASTER):
            await driver.prepare(spec)
            await driver.start(spec)
        await asyncio.gather(driver.destroy(SPEC), driver.destroy(MASTER))
    assert ec2.left() == []


async def test_each_group_with_a_driver_of_its_own(ec2: World) -> None:
    """Two drivers that know nothing of each other make one group, and leave nothing."""
    await asyncio.gather(launched(AWS()), launched(AWS(), MASTER))
    assert len(ec2.instances()) == SPEC.count + MASTER.count
    assert len(ec2.left()) == 2 * len(ec2.instances()) + 1  # their volumes, and one group
    await asyncio.gather(AWS().destroy(SPEC), AWS().destroy(MASTER))
    assert ec2.left() == []


async def test_what_was_launched_last_is_not_forgotten(ec2: World) -> None:
    """Instances that are not shown yet hold the security group, and so are found after all."""
    ec2.troubles.append(Invisible(seconds=3.0))
    await launched(AWS())
    await AWS().destroy(SPEC)  # another driver: it has seen nothing
    assert ec2.left() == []


async def test_groups_that_turn_up_one_after_the_other(ec2: World) -> None:
    """Neither of two leaves to the other what is shown only when that one is done."""
    ec2.troubles.append(Invisible(seconds=4.0))
    await launched(AWS(), MASTER)
    await asyncio.sleep(1.5)
    await launched(AWS())
    async with AWS() as driver:  # which has seen nothing
        await asyncio.gather(driver.destroy(SPEC), driver.destroy(MASTER))
    assert ec2.left() == []


async def test_a_protected_instance(ec2: World) -> None:
    """It is named with the command that ends it; all others are ended."""
    await launched(AWS())
    await launched(AWS(zone="us-east-1b"), replace(SPEC, count=5))
    ec2.troubles.append(Protected("us-east-1b"))
    with pytest.raises(ResourcesRemain) as caught:
        await AWS().destroy(SPEC)
    assert {"worker-3", "worker-4"} <= set(caught.value.remaining)
    assert "aws ec2 terminate-instances --region us-east-1 --instance-ids i-" in caught.value.cause
    assert "OperationNotPermitted" in caught.value.cause
    assert len(ec2.instances()) == 2
    ec2.troubles.clear()
    await AWS().destroy(SPEC)
    assert ec2.left() == []


async def test_one_bad_id_spoils_nothing(ec2: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that EC2 says not to know, and shows, is named; the others are terminated."""
    monkeypatch.setattr(ending, "SETTLING", 1.0)
    await launched(AWS())
    bad = min(ec2.instances())

    async def forgetful(request: Request, ask: Ask) -> Answer:
        if request.action == "TerminateInstances" and bad in request.list("InstanceId"):
            raise Refused("InvalidInstanceID.NotFound", f"The instance ID '{bad}' does not exist")
        return await ask(request)

    ec2.troubles.append(forgetful)
    with pytest.raises(ResourcesRemain, match=bad):
        await AWS().destroy(SPEC)
    assert list(ec2.instances()) == [bad]
    ec2.troubles.clear()
    await AWS().destroy(SPEC)
    assert ec2.left() == []


async def test_a_refusal_for_all(ec2: World) -> None:
    """Without the permission every node is named as remaining, after one try."""
    await launched(AWS())
    ec2.troubles.append(Forbidden("TerminateInstances"))
    with pytest.raises(ResourcesRemain) as caught:
        await AWS().destroy(SPEC)
    assert sorted(caught.value.remaining)[-3:] == ["worker-0", "worker-1", "worker-2"]
    assert "UnauthorizedOperation" in caught.value.cause
    assert ec2.proxy.count("TerminateInstances") == 1


async def test_destroying_is_patient(ec2: World) -> None:
    """Too many calls are no reason to leave anything."""
    await launched(AWS())
    ec2.troubles.append(Throttled(times=3))
    await AWS().destroy(SPEC)
    assert ec2.left() == []


async def test_discarded_nodes_only(ec2: World) -> None:
    """What is not to be discarded keeps running, and the group of rules stays."""
    await launched(AWS())
    await AWS().discard(SPEC, [1])
    assert [node.index for node in await AWS().list(SPEC)] == [0, 2]
    assert await launched(AWS()) == [0, 1, 2]


async def test_stopped_and_started(ec2: World) -> None:
    """A stop is over when all have stopped; a start of what is still stopping waits for it."""
    await launched(AWS())
    await AWS().stop(SPEC)
    assert await AWS().status(SPEC) == (Status.STOPPED,) * 3
    async with client() as aws:
        await aws.client.start_instances(InstanceIds=list(ec2.instances()))
        await asyncio.sleep(0.5)
        await aws.client.stop_instances(InstanceIds=list(ec2.instances()))
    assert await launched(AWS()) == [0, 1, 2]
    assert "stopped" not in ec2.instances().values()


async def test_two_clusters_of_one_name(ec2: World) -> None:
    """Without a record nothing says which of them is meant: both are named, neither touched."""
    await launched(AWS())
    async with client() as aws:
        made = await aws.client.create_security_group(
            GroupName="tinycloud-voltron-ffffffff",
            Description="of another",
            TagSpecifications=[
                {
                    "ResourceType": "security-group",
                    "Tags": [
                        {"Key": "tinycloud:cluster", "Value": "voltron"},
                        {"Key": "tinycloud:id", "Value": "f" * 32},
                    ],
                }
            ],
        )
    with pytest.raises(InvalidInput, match="2 clusters"):
        await AWS().destroy(replace(SPEC, generation=""))
    assert len(ec2.instances()) == 3
    await AWS().destroy(SPEC)
    assert ec2.left() == [made["GroupId"]]
