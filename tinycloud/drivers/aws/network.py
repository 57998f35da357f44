"""Where a cluster lives: subnets that were there, and one security group of its own."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

from ...errors import InvalidInput, ProviderError
from . import tags
from .allowing import opened, openings, permissions
from .asking import Ask, every, filters
from .batches import Subnet
from .call import NEW_GROUP, SETTLING, Caller
from .refusal import Kind, Refusal

LOOK_AGAIN = 1.0
"""Seconds between two looks for a group that somebody else has just made."""

_log = logging.getLogger(__name__)

Group = Mapping[str, Any]


async def subnets(ask: Ask, *, subnet: str | None, zone: str | None) -> tuple[Subnet, ...]:
    """Return where instances may be: in the subnet that was named, or the default of each zone."""
    wanted: dict[str, Any] = {"SubnetIds": [subnet]} if subnet else {}
    if not subnet:
        wanted["Filters"] = filters(default_for_az="true", state="available")
    described = await every(ask, "describe_subnets", "Subnets", **wanted)
    found = tuple(
        Subnet(id=one["SubnetId"], zone=one["AvailabilityZone"], vpc=one["VpcId"])
        for one in described
    )
    if not found:
        raise ProviderError(
            "there is no default VPC in this region",
            cause="no subnet is the default of its zone",
            fix="make it with 'aws ec2 create-default-vpc', or name a subnet (--subnet)",
        )
    there = tuple(one for one in found if zone in (None, one.zone))
    if not there:
        zones = ", ".join(sorted({one.zone for one in found}))
        raise InvalidInput(f"there is no subnet in zone {zone}", cause=f"there are some in {zones}")
    return there


def group_name(cluster: str, generation: str) -> str:
    """Return what the security group of a cluster is called."""
    return f"tinycloud-{cluster}-{generation[:8]}"


async def groups(ask: Ask, cluster: str, generation: str = "") -> list[Group]:
    """Return the security groups that are the cluster's own, by their tags."""
    wanted = {f"tag__{tags.CLUSTER}": cluster}
    if generation:
        wanted[f"tag__{tags.ID}"] = generation
    return await every(ask, "describe_security_groups", "SecurityGroups", Filters=filters(**wanted))


async def ensured_group(
    call: Caller,
    vpc: str,
    *,
    cluster: str,
    generation: str,
    ports: Collection[int],
    networks: Collection[str],
    more: Mapping[str, str],
) -> str:
    """Return the id of the cluster's security group, made now if there is none, with its rules."""
    name = group_name(cluster, generation)
    words = {**more, **tags.owner(cluster, generation), "Name": name}
    found = await _named(call, vpc, name) or await _made(call, vpc, name, cluster, words)
    if tags.of(found).get(tags.ID) != generation:
        raise ProviderError(
            f"the security group {name} is not ours",
            cause=f"{found['GroupId']} lacks the tag {tags.ID} = {generation}",
            fix="remove it, or give the cluster another name",
        )
    await _open(call, found, ports, networks)
    return str(found["GroupId"])


async def _made(call: Caller, vpc: str, name: str, cluster: str, words: Mapping[str, str]) -> Group:
    """Make the group, unless another process was first: then it is the one that is shown soon."""
    tagged = tags.specifications(words, ["security-group"])
    try:
        answer = await call(
            "create_security_group",
            keep=lambda made: _log.debug("made %s", made["GroupId"]),
            GroupName=name,
            Description=f"tinycloud cluster {cluster}",
            VpcId=vpc,
            TagSpecifications=tagged,
        )
        return {"GroupId": answer["GroupId"], "Tags": tagged[0]["Tags"]}
    except Refusal as error:
        if error.kind is not Kind.EXISTS:
            raise
        refused = error
    end = time.monotonic() + SETTLING
    while (found := await _named(call, vpc, name)) is None:
        if time.monotonic() > end:
            raise refused
        await asyncio.sleep(LOOK_AGAIN)
    return found


async def _named(ask: Ask, vpc: str, name: str) -> Group | None:
    wanted = filters(group_name=name, vpc_id=vpc)
    found = await every(ask, "describe_security_groups", "SecurityGroups", Filters=wanted)
    return found[0] if found else None


async def _open(
    call: Caller, group: Group, ports: Collection[int], networks: Collection[str]
) -> None:
    """Open to these networks what is not open yet, and everything among the nodes: in one call."""
    id_, there = group["GroupId"], group.get("IpPermissions", [])
    wanted = permissions(openings(ports, networks) - opened(there))
    if not any(_is_among(rule, id_) for rule in there):
        wanted.append({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": id_}]})
    if not wanted:
        return
    try:
        await call(
            "authorize_security_group_ingress",
            settling=NEW_GROUP,
            GroupId=id_,
            IpPermissions=wanted,
        )
    except Refusal as error:
        if error.kind is not Kind.EXISTS:
            raise


def _is_among(rule: Mapping[str, Any], group_id: str) -> bool:
    pairs = rule.get("UserIdGroupPairs", ())
    return rule.get("IpProtocol") == "-1" and any(pair["GroupId"] == group_id for pair in pairs)
