"""Why a node is not reached, out of what EC2 knows of it."""

from typing import Any

import pytest

from tinycloud import Node, Reason, Status
from tinycloud.drivers.aws import reach
from tinycloud.drivers.aws.asking import Ask

from .asked import asking
from .client import Client
from .test_allowing import rule
from .world import World

IGW = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}


def table(*routes: dict[str, Any], subnet: str = "", main: bool = False) -> dict[str, Any]:
    """Return a route table as EC2 tells of it."""
    of: dict[str, Any] = {"Main": main} | ({"SubnetId": subnet} if subnet else {})
    return {"Routes": list(routes), "Associations": [of]}


@pytest.mark.parametrize(
    ("tables", "leads_out"),
    [
        ([table(LOCAL, IGW, subnet="s-1")], True),
        ([table(LOCAL, subnet="s-1"), table(LOCAL, IGW, main=True)], False),
        ([table(LOCAL, IGW, subnet="s-2"), table(LOCAL, main=True)], False),
        ([table(LOCAL, IGW, main=True), table(LOCAL, subnet="s-2")], True),
        ([table(LOCAL, {**IGW, "State": "blackhole"}, main=True)], False),
        ([table(LOCAL, {**IGW, "GatewayId": "nat-1"}, main=True)], False),
        ([], True),
    ],
)
def test_routes(tables: list[dict[str, Any]], leads_out: bool) -> None:
    """A subnet goes by its own table, or by the main one; what is not known is no reason."""
    assert (reach.of_routes(tables, "s-1") is None) is leads_out


@pytest.mark.parametrize(
    ("state", "told", "cause", "fix"),
    [
        ("running", "", None, None),
        ("pending", "", None, None),
        ("stopped", "User initiated", "the instance is stopped: User initiated", "start"),
        ("shutting-down", "", "the instance is shutting-down", "launch"),
        ("terminated", "Spot\n\x1b[2Jgone", r"terminated: Spot\n\x1b[2Jgone", "launch"),
    ],
)
def test_states(state: str, told: str, cause: str | None, fix: str | None) -> None:
    """An instance that does not run is not reached, and EC2 says why that is; harmlessly."""
    found = reach.of_state({"State": {"Name": state}, "StateReason": {"Message": told}}, "c")
    if cause is None or fix is None:
        assert found is None
    else:
        assert found is not None
        assert cause in found.cause
        assert found.fix == f"tinycloud {fix} c"


def test_rules() -> None:
    """Both addresses are named, and the remedy is to be copied."""
    rules = [rule(22, 22, "192.0.2.44/32")]
    assert reach.of_rules(rules, "192.0.2.44", 22, "c") is None
    found = reach.of_rules(rules, "198.51.100.7", 22, "c")
    assert found == Reason(
        "your address is 198.51.100.7, and the rules of the cluster let in 192.0.2.44/32",
        "tinycloud allow c",
        shared=True,
    )
    nobody = reach.of_rules([], "198.51.100.7", 22, "c")
    assert nobody is not None
    assert nobody.cause.endswith("let in nobody")


def test_users() -> None:
    """An image whose name tells of another user is a reason; one that tells nothing is none."""
    image = {"ImageId": "ami-1", "Name": "debian-12-amd64-20260501"}
    assert reach.of_user(image, "admin", "c") is None
    assert reach.of_user({}, "root", "c") is None
    assert reach.of_user({"ImageId": "ami-2", "Name": "mine"}, "root", "c") is None
    found = reach.of_user(image, "ubuntu", "c")
    assert found is not None
    assert found.cause.endswith("has user admin, and we log in as ubuntu")
    assert "--user admin" in found.fix


def test_a_console_can_do_no_harm() -> None:
    """Only its end is shown, on one line, with escapes for what moves a cursor."""
    text = "boot\n" * 1000 + "one\n\n\x1b]0;title\x07two\r\nthree\u202e\n"
    assert reach.console_tail(text) == r"one / \x1b]0;title\x07two / three\u202e"
    assert reach.of_console("") is None
    assert len(reach.console_tail("x" * 100_000)) == reach.TAIL_LENGTH


async def launched(aws: Client, ask: Ask) -> tuple[Node, str]:
    """Launch an instance in a group of its own; return it, and the group."""
    subnet, *_ = await aws.subnets()
    vpc = (await aws.client.describe_vpcs())["Vpcs"][0]["VpcId"]
    made = await ask("create_security_group", GroupName="g", Description="d", VpcId=vpc)
    (id_,) = await aws.run(subnet, SecurityGroupIds=[made["GroupId"]])
    return Node(tag="web", index=0, id=id_, status=Status.RUNNING), made["GroupId"]


async def test_the_likeliest_cause_comes_first(ec2: World) -> None:
    """The rules before routes and console; only instances and groups of the cluster are named."""
    async with asking() as (aws, ask):
        node, group_id = await launched(aws, ask)
        found = await reach.explain(
            ask, node, cluster="c", group_id=group_id, address="198.51.100.7"
        )
        assert found[0].fix == "tinycloud allow c"
        unknown = await reach.explain(ask, node, cluster="c", group_id=None, address=None)
        assert "tinycloud allow c" not in [one.fix for one in unknown]
        await ask("stop_instances", InstanceIds=[node.id])
        (stopped,) = await reach.explain(
            ask, node, cluster="c", group_id=group_id, address="198.51.100.7"
        )
        assert stopped.cause.startswith("the instance is stop")
    assert ec2.proxy.count("DescribeRouteTables") == 2


async def test_an_instance_that_nobody_knows(ec2: World) -> None:
    """It is gone."""
    node = Node(tag="web", index=0, id="i-00000000000000000", status=Status.RUNNING)
    async with asking() as (_, ask):
        (found,) = await reach.explain(ask, node, cluster="c", group_id=None, address=None)
    assert found.cause == "EC2 knows no such instance any more"
    assert ec2.proxy.count("GetConsoleOutput") == 0
