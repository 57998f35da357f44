"""What the driver does beyond the six coroutines, at an EC2 of others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tinycloud import GroupSpec, InvalidInput, Node, ProviderError
from tinycloud.drivers.aws import AWS
from tinycloud.drivers.aws.tags import EXPIRES_AT

from .client import client
from .troubles.refused import Forbidden
from .world import REGION, World

pytestmark = pytest.mark.usefixtures("no_time")

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0RGzg5CAFZyx7YTdwTfhy5dVjdfXSGqmqYR6BaG0RP"
SPEC = GroupSpec(
    cluster="v", tag="web", count=2, authorized_keys=(KEY,), ttl=3600, generation="a" * 32
)


async def launched(driver: AWS, spec: GroupSpec = SPEC) -> tuple[Node, ...]:
    """Launch a group, and return its nodes."""
    await driver.prepare(spec)
    return await driver.start(spec)


def opened(ec2: World) -> set[tuple[str, str]]:
    """Return which ports are open to which networks, in groups of ours."""
    found = set()
    for group in ec2.ask("DescribeSecurityGroups").tree.findall("securityGroupInfo/item"):
        for rule in group.findall("ipPermissions/item"):
            for network in rule.findall("ipRanges/item/cidrIp"):
                found.add((rule.findtext("fromPort", ""), network.text or ""))
    return found


async def test_extend_is_one_call_for_all(ec2: World) -> None:
    """The tags say when, and the script sets the timer on each node."""
    async with AWS() as driver:
        nodes = await launched(driver)
        until = datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)
        script = await driver.extend(SPEC, nodes, until)
    assert "OnCalendar=2033-05-18 03:33:20 UTC" in script
    assert ec2.proxy.count("CreateTags") == 1
    async with AWS() as again:
        assert {node.expires_at for node in await again.list(SPEC)} == {until}
        await again.extend(SPEC, nodes[:1], None)
    async with AWS() as third:
        assert [node.expires_at for node in await third.list(SPEC)] == [None, until]


async def test_new_nodes_know_when_they_end(ec2: World) -> None:
    """It is in their tags from the first moment."""
    async with AWS() as driver:
        nodes = await launched(driver)
    for node in nodes:
        assert node.expires_at is not None
        rest = node.expires_at - datetime.now(UTC)
        assert timedelta(minutes=59) < rest <= timedelta(hours=1)
    assert EXPIRES_AT in ec2.ask("DescribeInstances").body.decode()


async def test_allow(ec2: World) -> None:
    """Our address, what the cluster was made for, and what is named now; nothing else stays."""
    driver = AWS(ports=(22, 80), allow="198.51.100.0/24")
    await launched(driver)
    mine = {("22", "127.0.0.1/32"), ("80", "127.0.0.1/32")}
    made = {("22", "198.51.100.0/24"), ("80", "198.51.100.0/24")}
    assert opened(ec2) == mine | made
    found = await driver.allow(SPEC, ["10.0.0.0/8"])
    assert found == ("127.0.0.1/32", "198.51.100.0/24", "10.0.0.0/8")
    assert opened(ec2) == mine | made | {("22", "10.0.0.0/8"), ("80", "10.0.0.0/8")}
    assert await driver.allow(SPEC, []) == ("127.0.0.1/32", "198.51.100.0/24")
    assert opened(ec2) == mine | made
    with pytest.raises(InvalidInput, match="not a network"):
        await driver.allow(SPEC, ["everyone"])
    assert opened(ec2) == mine | made


async def test_allow_touches_no_other_cluster(ec2: World) -> None:
    """A cluster of the same name is another one, and one that has no group has none to change."""
    driver = AWS()
    await launched(driver)
    before = opened(ec2)
    with pytest.raises(ProviderError, match="has no security group"):
        await driver.allow(replace(SPEC, generation="b" * 32), ["10.0.0.0/8"])
    assert opened(ec2) == before


async def test_explain_compares_rules_with_where_we_are(ec2: World) -> None:
    """Who has moved is told so, and what to do."""
    driver = AWS()
    (node, _) = await launched(driver)
    assert not any("your address" in reason.cause for reason in await driver.explain(SPEC, node))
    async with client() as aws:
        (group,) = [
            one
            for one in (await aws.client.describe_security_groups())["SecurityGroups"]
            if one["GroupName"].startswith("tinycloud-v-")
        ]
        rules = [rule for rule in group["IpPermissions"] if rule["IpRanges"]]
        words = {"GroupId": group["GroupId"]}
        await aws.client.revoke_security_group_ingress(**words, IpPermissions=rules)
    first, *_ = await driver.explain(SPEC, node)
    assert first.cause.startswith("your address is 127.0.0.1, and the rules")
    assert first.fix == "tinycloud allow v"


async def test_a_preview_makes_nothing(ec2: World) -> None:
    """It says of what image and size the launch is, and that the account may."""
    driver = AWS(type=("t3.medium", "t3.large"), image="debian")
    said = await driver.preview([SPEC, replace(SPEC, tag="db", count=1)])
    assert said["user"] == "admin"
    assert said["type"] == "t3.medium"
    assert said["time to live"] == "1 hours"
    assert "ec2:RunInstances is allowed" in said["permissions"]
    assert ec2.left() == []
    ec2.troubles.append(Forbidden("RunInstances"))
    assert "ec2:RunInstances is NOT allowed" in (await driver.preview([SPEC]))["permissions"]


async def test_strays_are_found_and_reaped(ec2: World) -> None:
    """All that is left of one cluster goes, and nothing of another, however alike it looks."""
    other = replace(SPEC, cluster="w", generation="c" * 32)
    async with AWS() as driver:
        ours = {node.id for node in await launched(driver)}
        kept = {node.id for node in await launched(driver, other)}
    async with AWS() as driver:
        first, second = await driver.strays()
        assert (first.cluster, first.generation, first.where) == ("v", "a" * 32, REGION)
        assert ours < set(first.resources)
        await driver.reap(first)
        assert set(ec2.instances()) == kept
        (left,) = await driver.strays()
        assert left == second
        await driver.reap(left)
    assert ec2.left() == []


async def test_what_is_left_of_a_cluster_without_nodes(ec2: World) -> None:
    """A security group alone is a stray, and can be reaped."""
    driver = AWS()
    await driver.prepare(SPEC)
    (left,) = await driver.strays()
    assert left.created_at is None
    await driver.reap(left)
    assert ec2.left() == []


async def test_regions(ec2: World) -> None:
    """They are those that the account has."""
    assert REGION in await AWS().regions()
