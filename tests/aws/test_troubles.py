"""Each trouble is the trouble that it is said to be."""

import subprocess
import sys

import pytest
from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError

from .client import client
from .test_rules import refused, slow
from .troubles.capacity import Capacity
from .troubles.invisible import Invisible, LateAddresses
from .troubles.killing import Killing
from .troubles.lost import Garbage, LostReply
from .troubles.refused import Expired, Forbidden, Protected
from .troubles.throttling import Throttled
from .world import World


async def test_throttled(ec2: World) -> None:
    """So many calls of the action are refused, and no other."""
    ec2.troubles.append(Throttled("DescribeVpcs", times=2))
    async with client() as aws:
        for _ in range(2):
            with refused("RequestLimitExceeded"):
                await aws.client.describe_vpcs()
            await aws.subnets()
        await aws.client.describe_vpcs()


@pytest.mark.parametrize("undone", [False, True])
async def test_lost_reply(ec2: World, undone: bool) -> None:
    """The client hears nothing; the launch has been made, or has not."""
    ec2.troubles.append(LostReply("RunInstances", undone=undone))
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        with pytest.raises(BotoCoreError):
            await aws.run(subnet, most=2, ClientToken="one")
        assert len(ec2.instances()) == (0 if undone else 2)
        assert len(await aws.run(subnet, most=2, ClientToken="one")) == 2
        assert len(ec2.instances()) == 2


async def test_garbage(ec2: World) -> None:
    """What is answered is nothing that EC2 says."""
    ec2.troubles.append(Garbage("DescribeVpcs", status=200, body=b"\x00 good evening"))
    async with client() as aws:
        with pytest.raises(ResponseParserError):
            await aws.client.describe_vpcs()
        await aws.client.describe_vpcs()


async def test_forbidden(ec2: World) -> None:
    """The action is refused, and the dry run of it too."""
    ec2.troubles.append(Forbidden("RunInstances"))
    async with client() as aws:
        for dry in (True, False):
            with refused("UnauthorizedOperation"):
                await aws.run("subnet-0", DryRun=dry)


async def test_expired(ec2: World) -> None:
    """From some call on everything is refused."""
    ec2.troubles.append(Expired(after=1))
    async with client() as aws:
        await aws.subnets()
        for _ in range(2):
            with refused("RequestExpired"):
                await aws.subnets()


async def test_protected(ec2: World) -> None:
    """One protected instance saves all that are named with it in its zone, and no others."""
    slow(ec2, 0)
    ec2.troubles.append(Protected(zone="us-east-1a"))
    async with client() as aws:
        one, two, *_ = await aws.subnets()
        kept, ended = await aws.run(one, most=2), await aws.run(two)
        with refused("OperationNotPermitted"):
            await aws.client.terminate_instances(InstanceIds=[*kept, *ended])
        assert sorted(ec2.instances()) == sorted(kept)


async def test_capacity(ec2: World) -> None:
    """A zone gives what it has left, and then nothing; the next one has enough."""
    ec2.shortages.append(Capacity({("us-east-1a", "t3.medium"): 3}))
    async with client() as aws:
        one, two, *_ = await aws.subnets()
        assert len(await aws.run(one, least=1, most=5)) == 3
        with refused("InsufficientInstanceCapacity"):
            await aws.run(one, least=1, most=5)
        assert len(await aws.run(two, least=5, most=5)) == 5
        assert len(await aws.run(one, most=2, InstanceType="t3.large")) == 2


async def test_invisible(ec2: World) -> None:
    """What was just made is not found by its name, nor by any filter; one that flaps now and then.

    The token of the launch is good all the same.
    """
    hiding = Invisible(seconds=1000)
    ec2.shortages.append(hiding)
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        (one,) = await aws.run(subnet, ClientToken="one")
        with refused("InvalidInstanceID.NotFound"):
            await aws.seen(one)
        with refused("InvalidInstanceID.NotFound"):
            await aws.client.terminate_instances(InstanceIds=[one])
        assert await aws.seen(image_id="ami-00dddd86000000001") == {}
        hiding.seconds, hiding.flapping = 0, 2
        seen = [len(await aws.seen(image_id="ami-00dddd86000000001")) for _ in range(4)]
        assert seen in ([0, 1, 0, 1], [1, 0, 1, 0])


async def test_late_addresses(ec2: World) -> None:
    """An instance that runs has no address at first."""
    slow(ec2, 0)
    late = LateAddresses(seconds=1000)
    ec2.shortages.append(late)
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        (one,) = await aws.run(subnet)
        assert "PublicIpAddress" not in (await aws.seen(one))[one]
        late.seconds = 0
        assert "PublicIpAddress" in (await aws.seen(one))[one]


CALLS = """
import asyncio
from aiobotocore.session import get_session

async def main():
    async with get_session().create_client("ec2") as aws:
        await aws.describe_vpcs()
        await aws.create_security_group(GroupName="mine", Description="mine")
        await aws.describe_vpcs()

asyncio.run(main())
"""


@pytest.mark.parametrize("done", [False, True])
def test_killing(ec2: World, done: bool) -> None:
    """The client dies of its second call, which has been made, or has not."""
    killing = Killing(2, done=done)
    ec2.troubles.append(killing)
    process = subprocess.Popen([sys.executable, "-c", CALLS])
    killing.victim.put(process.pid)
    assert process.wait() == -9
    assert killing.struck
    assert len(ec2.left()) == done
