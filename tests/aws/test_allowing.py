"""Who may connect: rules are compared by what they open, and nobody is locked out meanwhile."""

from typing import Any

import pytest

from tinycloud import InvalidInput, ProviderError
from tinycloud.drivers.aws import allowing
from tinycloud.drivers.aws.allowing import Opening
from tinycloud.drivers.aws.asking import Ask

from .asked import asking
from .client import Client
from .world import World

ME, OTHER = "192.0.2.7/32", "198.51.100.0/24"
SELF: dict[str, Any] = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}


def rule(low: int, high: int, *networks: str, protocol: str = "tcp") -> dict[str, Any]:
    """Return a rule as EC2 tells of it."""
    return {
        "IpProtocol": protocol,
        "FromPort": low,
        "ToPort": high,
        "IpRanges": [{"CidrIp": one} for one in networks if ":" not in one],
        "Ipv6Ranges": [{"CidrIpv6": one} for one in networks if ":" in one],
    }


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:DB8::7", "2001:db8::7/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_networks(text: str, network: str) -> None:
    """A network is one address or many; everyone must be named in so many words."""
    assert allowing.checked_network(text) == network


@pytest.mark.parametrize("text", ["", "0", "all", "10.0.0.1/8", "10.0.0.0/33", "a.example.org"])
def test_what_is_no_network(text: str) -> None:
    """Names, and addresses that are not where their network begins, are refused."""
    with pytest.raises(InvalidInput, match="not a network"):
        allowing.checked_network(text)


def test_what_rules_open() -> None:
    """Each port and network by itself; ranges of ports and what nodes say to each other are not."""
    rules = [SELF, rule(22, 22, ME, "2001:db8::/32"), rule(8000, 9000, OTHER)]
    assert allowing.opened(rules) == {Opening(22, ME), Opening(22, "2001:db8::/32")}
    wanted = allowing.openings([22, 80], [ME, "2001:db8::/32"])
    assert allowing.opened(allowing.permissions(wanted)) == wanted
    assert len(allowing.permissions(wanted)) == 2


@pytest.mark.parametrize(
    ("rules", "address", "port", "let_in"),
    [
        ([rule(22, 22, ME)], "192.0.2.7", 22, True),
        ([rule(22, 22, ME)], "192.0.2.8", 22, False),
        ([rule(22, 22, ME)], "192.0.2.7", 80, False),
        ([rule(20, 30, OTHER)], "198.51.100.9", 22, True),
        ([rule(22, 22, OTHER, protocol="udp")], "198.51.100.9", 22, False),
        ([rule(-1, -1, OTHER, protocol="-1")], "198.51.100.9", 22, True),
        ([rule(22, 22, "2001:db8::/32")], "2001:db8::1", 22, True),
        ([rule(22, 22, "2001:db8::/32")], "192.0.2.7", 22, False),
        ([SELF], "192.0.2.7", 22, False),
        ([], "192.0.2.7", 22, False),
    ],
)
def test_whether_rules_let_in(
    rules: list[dict[str, Any]], address: str, port: int, let_in: bool
) -> None:
    """An address may connect if one rule covers it and the port."""
    assert allowing.lets_in(rules, address, port) is let_in


async def group(aws: Client, ask: Ask, *networks: str) -> str:
    """Make a group that lets these networks in, and has rules of others; return its id."""
    vpc = (await aws.client.describe_vpcs())["Vpcs"][0]["VpcId"]
    made = await ask("create_security_group", GroupName="g", Description="d", VpcId=vpc)
    group_id: str = made["GroupId"]
    own = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}]
    by_hand = [{**rule(8000, 9000, OTHER), "Ipv6Ranges": []}]
    ours = allowing.permissions(allowing.openings([22, 80], networks))
    await ask(
        "authorize_security_group_ingress",
        GroupId=group_id,
        IpPermissions=[*own, *by_hand, *ours],
    )
    return group_id


async def test_an_address_takes_the_place_of_the_last(ec2: World) -> None:
    """The new one is let in first, in one call, and then the old one is not any more."""
    async with asking() as (aws, ask):
        group_id = await group(aws, ask, "203.0.113.5/32", OTHER)
        before = len(ec2.proxy.calls)
        assert await allowing.reopen(ask, group_id, [22, 80], [ME, OTHER]) == (ME, OTHER)
        rules = await allowing.rules(ask, group_id)
        assert allowing.opened(rules) == allowing.openings([22, 80], [ME, OTHER])
        assert allowing.networks(rules, 22) == (ME, OTHER)
        assert ec2.proxy.names()[before:][:3] == [
            "DescribeSecurityGroups",
            "AuthorizeSecurityGroupIngress",
            "RevokeSecurityGroupIngress",
        ]
        assert any(one.get("UserIdGroupPairs") for one in rules)
        assert any(one.get("ToPort") == 9000 for one in rules)


async def test_what_is_so_already_is_left_alone(ec2: World) -> None:
    """Done twice, nothing is changed."""
    async with asking() as (aws, ask):
        group_id = await group(aws, ask, ME)
        before = len(ec2.proxy.calls)
        await allowing.reopen(ask, group_id, [22, 80], [ME])
        assert ec2.proxy.names()[before:] == ["DescribeSecurityGroups"]


async def test_a_group_that_is_gone(ec2: World) -> None:
    """It is the provider's refusal, in words."""
    async with asking() as (_, ask):
        with pytest.raises(ProviderError):
            await allowing.reopen(ask, "sg-00000000000000000", [22], [ME])
    assert ec2.proxy.count("AuthorizeSecurityGroupIngress") == 0
