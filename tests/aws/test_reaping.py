"""What clusters have left in an account is found by its tag, and nothing else is."""

from typing import Any

from tinycloud.drivers.aws import reaping
from tinycloud.drivers.aws.asking import Ask

from .asked import asking
from .client import Client
from .world import REGION, World


def tags(kind: str, **named: str) -> list[dict[str, Any]]:
    """Return tags for something that a call makes."""
    ours = {
        "tinycloud:cluster": named["cluster"],
        "tinycloud:id": named["id"],
        "tinycloud:expires-at": "2033-05-18T03:33:20+00:00",
    }
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in ours.items()]}]


async def cluster(aws: Client, ask: Ask, name: str, id_: str, count: int) -> tuple[list[str], str]:
    """Make a cluster of so many instances; return their ids and that of the group."""
    vpc = (await aws.client.describe_vpcs())["Vpcs"][0]["VpcId"]
    made = await ask(
        "create_security_group",
        GroupName=f"{name}-{id_}",
        Description="d",
        VpcId=vpc,
        TagSpecifications=tags("security-group", cluster=name, id=id_),
    )
    subnet, *_ = await aws.subnets()
    ids = []
    if count:
        named = tags("instance", cluster=name, id=id_)
        ids = await aws.run(subnet, most=count, TagSpecifications=named)
    return ids, made["GroupId"]


async def test_each_cluster_with_all_that_is_its_own(ec2: World) -> None:
    """Two of one name are two; a group alone is found; what has no tag of ours is not."""
    async with asking() as (aws, ask):
        first, group = await cluster(aws, ask, "v", "one", 2)
        _, second = await cluster(aws, ask, "v", "two", 0)
        subnet, *_ = await aws.subnets()
        await aws.run(subnet, most=3)
        await aws.run(
            subnet,
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "tinycloud:cluster", "Value": "v"}]}
            ],
        )
        found = await reaping.strays(ask, REGION)
    assert [(one.cluster, one.generation, one.where) for one in found] == [
        ("v", "one", REGION),
        ("v", "two", REGION),
    ]
    whole, left = found
    assert set(whole.resources) == {*first, group}
    assert whole.created_at is not None
    assert whole.expires_at is not None
    assert whole.expires_at.year == 2033
    assert left.resources == (second,)
    assert (left.created_at, left.expires_at) == (None, None)


async def test_what_is_terminated_is_no_stray(ec2: World) -> None:
    """Instances that have ended stay listed for an hour, and are nobody's."""
    async with asking() as (aws, ask):
        ids, group = await cluster(aws, ask, "v", "one", 1)
        ec2.states.seconds = dict.fromkeys(ec2.states.seconds, 0.0)
        await ask("terminate_instances", InstanceIds=ids)
        (found,) = await reaping.strays(ask, REGION)
    assert found.resources == (group,)
