"""What a launch would take, before it: calls, image, rules, time, money, permissions, quota."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import price
from .asking import Ask
from .quota import quota

Probe = Callable[..., Awaitable[str]]
"""Makes one call as a dry run, and returns the code of the error with which all of them end."""

MAY, MAY_NOT = "DryRunOperation", "UnauthorizedOperation"

NOT_KNOWN = "unknown (the account may not ask for quotas)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A launch, as it is resolved: `sizes` are the nodes to make, by group."""

    sizes: Mapping[str, int]
    type: str
    image: str
    image_name: str
    username: str
    ports: Sequence[int]
    networks: Collection[str]
    ttl: str
    region: str
    zone: str
    spot: bool

    @property
    def count(self) -> int:
        """How many instances that makes."""
        return sum(self.sizes.values())

    @property
    def calls(self) -> str:
        """The calls that it takes."""
        launches = sum(1 for size in self.sizes.values() if size)
        return (
            "CreateSecurityGroup, AuthorizeSecurityGroupIngress, "
            f"{launches} x RunInstances (one for each group), "
            "and one DescribeInstances at a time for all"
        )

    @property
    def rules(self) -> str:
        """Who may connect where."""
        who, where = ", ".join(self.networks) or "nobody", ", ".join(map(str, self.ports))
        return f"port {where} from {who}; everything between the nodes; nothing else"


async def remarks(
    outlook: Outlook, *, ask: Ask, pricing: Ask, quotas: Ask, probe: Probe, words: Mapping[str, Any]
) -> dict[str, str]:
    """Return what there is to say of it, by name.

    `words` are what RunInstances would be told. What may not be asked is unknown, and no
    reason to fail.
    """
    cost = (
        await price.spot(ask, outlook.type, outlook.zone)
        if outlook.spot
        else await price.on_demand(pricing, outlook.type, outlook.region)
    )
    fits = await quota(ask, quotas, outlook.type, outlook.count, spot=outlook.spot)
    return {
        "region": f"{outlook.region}, zone {outlook.zone}",
        "type": outlook.type,
        "image": f"{outlook.image} ({outlook.image_name})",
        "user": outlook.username,
        "rules": outlook.rules,
        "time to live": outlook.ttl,
        "calls": outlook.calls,
        "price": cost.of(outlook.count) if cost else price.UNKNOWN,
        "quota": str(fits) if fits else NOT_KNOWN,
        "permissions": await permissions(probe, words),
    }


async def permissions(probe: Probe, words: Mapping[str, Any]) -> str:
    """Return in words whether the account may make the calls that cost something.

    EC2 says so itself, when it is asked for a dry run; that does not look for capacity.
    """
    group = {"GroupName": "tinycloud-dry-run", "Description": "never made"}
    found = {
        "ec2:RunInstances": await probe("run_instances", **words),
        "ec2:CreateSecurityGroup": await probe("create_security_group", **group),
    }
    return "; ".join(f"{name} {_verdict(code)}" for name, code in found.items())


def _verdict(code: str) -> str:
    if code == MAY:
        return "is allowed"
    return "is NOT allowed" if code == MAY_NOT else f"can't be told ({code})"
