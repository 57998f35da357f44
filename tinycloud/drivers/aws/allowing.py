"""Who may connect to the nodes: the rules of a cluster's security group.

Ours are those for single ports from networks. What nodes say to each other, and what
somebody added by hand for other ports, is left as it is.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from ...errors import InvalidInput, ProviderError
from .asking import Ask

Permission = Mapping[str, Any]
Network = IPv4Network | IPv6Network

_LISTS = {4: ("IpRanges", "CidrIp"), 6: ("Ipv6Ranges", "CidrIpv6")}


@dataclass(frozen=True, slots=True)
class Opening:
    """One port that a network may connect to."""

    port: int
    network: str


def checked_network(text: str) -> str:
    """Return a network as EC2 has it, or raise `InvalidInput`; a single address is one, too."""
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise InvalidInput(
            f"not a network: {text[:80]!r}",
            cause=str(error) if "host bits" in str(error) else "",
            fix="give one such as 203.0.113.0/24 or 203.0.113.7/32 (0.0.0.0/0 is everyone)",
        ) from error


def openings(ports: Iterable[int], networks: Iterable[str]) -> frozenset[Opening]:
    """Return what lets these networks connect to these ports."""
    every = tuple(map(checked_network, networks))
    return frozenset(Opening(port, network) for port in ports for network in every)


def opened(permissions: Iterable[Permission]) -> frozenset[Opening]:
    """Return what the rules of a group open for networks, port by port."""
    return frozenset(
        Opening(rule["FromPort"], entry[name])
        for rule in permissions
        if rule.get("IpProtocol") == "tcp" and rule.get("FromPort") == rule.get("ToPort")
        for group, name in _LISTS.values()
        for entry in rule.get(group, ())
    )


def lets_in(permissions: Iterable[Permission], address: str, port: int) -> bool:
    """Return whether these rules let an address connect to a port."""
    host = ip_network(address)
    return any(
        _covers(rule, port) and _within(host, entry[name])
        for rule in permissions
        for group, name in _LISTS.values()
        for entry in rule.get(group, ())
    )


def _covers(rule: Permission, port: int) -> bool:
    if rule.get("IpProtocol") == "-1":
        return True
    low, high = rule.get("FromPort", -1), rule.get("ToPort", -1)
    return rule.get("IpProtocol") == "tcp" and low <= port <= high


def _within(host: Network, network: str) -> bool:
    around = ip_network(network)
    if isinstance(host, IPv4Network) and isinstance(around, IPv4Network):
        return host.subnet_of(around)
    if isinstance(host, IPv6Network) and isinstance(around, IPv6Network):
        return host.subnet_of(around)
    return False


def networks(permissions: Iterable[Permission], port: int) -> tuple[str, ...]:
    """Return the networks that may connect to a port, in order."""
    return tuple(sorted(one.network for one in opened(permissions) if one.port == port))


def permissions(wanted: Collection[Opening]) -> list[dict[str, Any]]:
    """Return the rules that open this, as one call takes them."""
    found: dict[int, dict[str, Any]] = {}
    for one in sorted(wanted, key=lambda one: (one.port, one.network)):
        rule = found.setdefault(
            one.port, {"IpProtocol": "tcp", "FromPort": one.port, "ToPort": one.port}
        )
        group, name = _LISTS[ip_network(one.network).version]
        rule.setdefault(group, []).append({name: one.network})
    return list(found.values())


async def reopen(
    ask: Ask, group_id: str, ports: Collection[int], wanted: Collection[str]
) -> tuple[str, ...]:
    """Have these networks, and no other, connect to these ports; return them.

    What is new is opened before what is old is closed: nobody is locked out in between.
    """
    new = openings(ports, wanted)
    old = frozenset(one for one in opened(await rules(ask, group_id)) if one.port in ports)
    if new - old:
        await ask(
            "authorize_security_group_ingress",
            GroupId=group_id,
            IpPermissions=permissions(new - old),
        )
    if old - new:
        await ask(
            "revoke_security_group_ingress",
            GroupId=group_id,
            IpPermissions=permissions(old - new),
        )
    return tuple(dict.fromkeys(map(checked_network, wanted)))


async def rules(ask: Ask, group_id: str) -> list[Permission]:
    """Return the rules of a group about who may connect."""
    answer = await ask("describe_security_groups", GroupIds=[group_id])
    groups = answer.get("SecurityGroups", [])
    if not groups:
        raise ProviderError(
            f"there is no security group {group_id}", fix="launch the cluster again: it makes one"
        )
    found: list[Permission] = groups[0].get("IpPermissions", [])
    return found
