"""What clusters have left in an account: found by the tag that says whose everything is."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ...driver import Stray
from ...errors import ProviderError
from .asking import Ask, every, filters
from .lifetime import parsed_expiry
from .refusal import Refusal
from .tags import CLUSTER, EXPIRES_AT, ID, of

ALIVE = ["pending", "running", "stopping", "stopped"]
PAGE = 100

Resource = Mapping[str, Any]


async def strays(ask: Ask, region: str) -> tuple[Stray, ...]:
    """Return all that carries the tag of some cluster in this region, cluster by cluster.

    Three calls (and their further pages) find it: of instances, groups and loose volumes.
    """
    ours = filters(tag_key=ID)
    alive = [*ours, *filters(instance_state_name=ALIVE)]
    loose = [*ours, *filters(status="available")]
    reservations = await every(
        ask, "describe_instances", "Reservations", Filters=alive, MaxResults=PAGE
    )
    instances = [one for some in reservations for one in some["Instances"]]
    groups = await every(ask, "describe_security_groups", "SecurityGroups", Filters=ours)
    volumes = await every(ask, "describe_volumes", "Volumes", Filters=loose)
    return found(region, instances, groups, volumes)


def found(
    region: str,
    instances: Iterable[Resource],
    groups: Iterable[Resource],
    volumes: Iterable[Resource],
) -> tuple[Stray, ...]:
    """Return these resources by the cluster that they are of, ordered by its name and id."""
    kinds = (("InstanceId", instances), ("GroupId", groups), ("VolumeId", volumes))
    every_one = [(one[key], one) for key, some in kinds for one in some if of(one).get(ID)]
    owners = sorted({_owner(one) for _, one in every_one})
    return tuple(
        _stray(region, owner, [(id_, one) for id_, one in every_one if _owner(one) == owner])
        for owner in owners
    )


def _stray(region: str, owner: tuple[str, str], resources: list[tuple[str, Resource]]) -> Stray:
    cluster, generation = owner
    return Stray(
        cluster=cluster,
        generation=generation,
        where=region,
        resources=tuple(id_ for id_, _ in resources),
        created_at=min(_launched(one for _, one in resources), default=None),
        expires_at=max(_ends(one for _, one in resources), default=None),
    )


def _launched(resources: Iterable[Resource]) -> Iterator[datetime]:
    return (one["LaunchTime"] for one in resources if one.get("LaunchTime"))


def _ends(resources: Iterable[Resource]) -> Iterator[datetime]:
    tags = (of(one).get(EXPIRES_AT) for one in resources if "InstanceId" in one)
    return (end for end in map(parsed_expiry, tags) if end is not None)


def _owner(resource: Resource) -> tuple[str, str]:
    tags = of(resource)
    return tags.get(CLUSTER, ""), tags[ID]


async def delete_volumes(ask: Ask, ids: Iterable[str]) -> dict[str, ProviderError]:
    """Delete those of these that are loose volumes; return why, for each that can't be."""
    kept: dict[str, ProviderError] = {}
    for id_ in (one for one in ids if one.startswith("vol-")):
        try:
            await ask("delete_volume", VolumeId=id_)
        except Refusal as error:
            if error.code != "InvalidVolume.NotFound":
                kept[id_] = error
    return kept
