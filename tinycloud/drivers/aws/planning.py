"""What a launch would take, before it: calls, image, rules, time, money, permissions, quota."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...group import GroupSpec
from . import batches, launching, price
from .asking import Ask
from .batches import Subnet
from .client import Account
from .image import DEFAULT, Image
from .options import Options
from .quota import quota
from .refusal import Refusal

Probe = Callable[..., Awaitable[str]]
"""Makes one call as a dry run, and returns the code of the error with which all of them end."""

PATIENCE = 1.0
"""Seconds for which a call is made again that only makes a plan more complete."""

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


async def preview(
    account: Account,
    specs: Collection[GroupSpec],
    *,
    options: Options,
    image: Image,
    subnets: Sequence[Subnet],
    networks: Collection[str],
) -> dict[str, str]:
    """Return what there is to say of launching these groups."""
    places = batches.places(options.types, subnets, spot=options.spot, fallback=options.fallback)
    sizes = {spec.tag: spec.count for spec in specs}
    first, place = next(iter(specs)), places[0]
    outlook = Outlook(
        sizes=sizes,
        type=place.type,
        image=image.id,
        image_name=options.image or DEFAULT,
        username=image.username,
        ports=options.ports,
        networks=networks,
        ttl="none" if first.ttl is None else f"{first.ttl / 3600:g} hours",
        region=account.region,
        zone=place.subnet.zone,
        spot=options.spot,
    )
    order = await launching.ordered(
        first, generation="dry-run", options=options, image=image, group_id="", places=places
    )
    words = order.words(place, range(max(1, outlook.count)))
    del words["SecurityGroupIds"]  # there is none yet

    async def probe(operation: str, **parameters: Any) -> str:
        try:
            await account.ask(operation, DryRun=True, **parameters)
        except Refusal as error:
            return error.code
        return "no answer"

    pricing = await account.service("pricing", price.PRICING_REGION)
    quotas = await account.service("service-quotas")
    return await remarks(
        outlook,
        ask=account.ask,
        pricing=partial(pricing, patience=PATIENCE),
        quotas=partial(quotas, patience=PATIENCE),
        probe=probe,
        words=words,
    )


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
