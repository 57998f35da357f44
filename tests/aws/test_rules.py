"""The world does what EC2 does, where the server behind it does something else."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .client import client
from .rules.checks import USER_DATA
from .world import World


def refused(code: str) -> Any:
    """Expect an error of EC2 with this code."""
    return pytest.raises(ClientError, match=f"\\({code}\\)")


def slow(ec2: World, seconds: float) -> None:
    """Have machines take so long from one state to the next."""
    ec2.states.seconds = dict.fromkeys(ec2.states.seconds, seconds)


async def test_a_token_launches_once(ec2: World) -> None:
    """The same token with the same words answers the same instances, and finds them."""
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        first = await aws.run(subnet, most=3, ClientToken="one")
        assert await aws.run(subnet, most=3, ClientToken="one") == first
        assert list(await aws.seen(client_token="one")) == first
        assert await aws.seen(client_token="two") == {}
        assert len(ec2.instances()) == 3
        with refused("IdempotentParameterMismatch"):
            await aws.run(subnet, most=2, ClientToken="one")


async def test_a_token_is_good_for_a_zone(ec2: World) -> None:
    """In another zone the same token launches again."""
    async with client() as aws:
        one, two, *_ = await aws.subnets()
        assert await aws.run(one, ClientToken="one") != await aws.run(two, ClientToken="one")


async def test_a_token_outlives_its_instances(ec2: World) -> None:
    """A token whose instances are terminated is refused."""
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        ids = await aws.run(subnet, ClientToken="one")
        await aws.client.terminate_instances(InstanceIds=ids)
        with refused("IdempotentInstanceTerminated"):
            await aws.run(subnet, ClientToken="one")


async def test_as_many_as_can_be_are_launched(ec2: World) -> None:
    """A launch is of MaxCount instances; one of more at least than at most is refused."""
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        assert len(await aws.run(subnet, least=1, most=4)) == 4
        with refused("InvalidParameterValue"):
            await aws.run(subnet, least=3, most=2)


async def test_what_cant_be_launched_is_refused(ec2: World) -> None:
    """An unknown image and too much user data are; a dry run says that the rest is fine."""
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        with refused("InvalidAMIID.NotFound"):
            await aws.run(subnet, ImageId="ami-0123456789abcdef0")
        with refused("InvalidParameterValue"):
            await aws.run(subnet, UserData="x" * (USER_DATA + 1))
        with refused("DryRunOperation"):
            await aws.run(subnet, UserData="x" * USER_DATA, DryRun=True)
        assert ec2.instances() == {}


async def test_machines_take_their_time(ec2: World) -> None:
    """Instances are on their way from one state to the next, and are filtered by what is shown."""
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        slow(ec2, 1000)
        (one,) = await aws.run(subnet)
        assert await aws.states(one) == {one: "pending"}
        assert await aws.states(instance_state_name="running") == {}
        await aws.client.terminate_instances(InstanceIds=[one])
        assert await aws.states(instance_state_name="shutting-down") == {one: "shutting-down"}
        with refused("IncorrectInstanceState"):
            await aws.client.start_instances(InstanceIds=[one])
        slow(ec2, 0)
        (two,) = await aws.run(subnet)
        assert await aws.states(instance_state_name="running") == {two: "running"}


async def test_a_group_in_use_stays(ec2: World) -> None:
    """A security group can be deleted once nothing is in it any more."""
    slow(ec2, 0)
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        made = await aws.client.create_security_group(GroupName="mine", Description="mine")
        ids = await aws.run(subnet, SecurityGroupIds=[made["GroupId"]])
        with refused("DependencyViolation"):
            await aws.client.delete_security_group(GroupId=made["GroupId"])
        await aws.client.terminate_instances(InstanceIds=ids)
        await aws.client.delete_security_group(GroupId=made["GroupId"])
        assert ec2.left() == []


async def test_many_come_in_pages(ec2: World) -> None:
    """A page has as many instances as it may, and the pages have all of them once."""
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        ids = [*await aws.run(subnet, most=9), *await aws.run(subnet, most=9)]
        pages = aws.client.get_paginator("describe_instances").paginate(
            PaginationConfig={"PageSize": 5}
        )
        found = [
            [one["InstanceId"] for group in page["Reservations"] for one in group["Instances"]]
            async for page in pages
        ]
        assert [len(page) for page in found] == [5, 5, 5, 3]
        assert sorted(one for page in found for one in page) == sorted(ids)


async def test_parameters_name_images(ec2: World) -> None:
    """An image can be launched by the name of its parameter."""
    name = "/aws/service/debian/release/12/latest/amd64"
    async with client() as aws:
        subnet, *_ = await aws.subnets()
        (one,) = await aws.run(subnet, ImageId=f"resolve:ssm:{name}")
        assert (await aws.seen(one))[one]["ImageId"] == "ami-00dddd86000000001"


async def test_the_log_has_every_call(ec2: World) -> None:
    """Each call is there, with what it came to."""
    async with client() as aws:
        await aws.subnets()
        with refused("InvalidParameterValue"):
            await aws.run("subnet-0", least=2)
    assert ec2.proxy.names() == ["DescribeSubnets", "RunInstances"]
    assert [call.outcome for call in ec2.proxy.calls] == ["200", "InvalidParameterValue"]
