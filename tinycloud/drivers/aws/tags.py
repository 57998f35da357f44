"""The tags that say whose everything is: the truth about a cluster is in its account."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

PREFIX = "tinycloud:"
CLUSTER = f"{PREFIX}cluster"
TAG = f"{PREFIX}tag"
ID = f"{PREFIX}id"
INDICES = f"{PREFIX}indices"
IMAGE = f"{PREFIX}image"
USERNAME = f"{PREFIX}username"
BOOT_KEY = f"{PREFIX}boot-key"
HOST_CA = f"{PREFIX}host-ca"
EXPIRES_AT = f"{PREFIX}expires-at"

LONGEST = 256
"""Characters that the value of a tag may have (EC2, tag restrictions)."""

MOST = 10_000
"""No batch is larger: what a damaged tag says must not make us count for ever."""


def to_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as EC2 takes them; those without a value, or too long for one, are left out."""
    return [{"Key": k, "Value": v} for k, v in tags.items() if v and len(v) <= LONGEST]


def of(resource: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a resource."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", ())}


def owner(cluster: str, generation: str) -> dict[str, str]:
    """Return the tags by which everything of a cluster is known."""
    return {CLUSTER: cluster, ID: generation}


def specifications(tags: Mapping[str, str], kinds: Iterable[str]) -> list[dict[str, Any]]:
    """Return what has EC2 tag all that a call makes, from the very first moment."""
    return [{"ResourceType": kind, "Tags": to_list(tags)} for kind in kinds]


def packed(indices: Collection[int]) -> str:
    """Return indices in few words: `0-498`, `2,4`. An instance's place among them is its index."""
    return ",".join(_runs(sorted(indices)))


def _runs(indices: list[int]) -> Iterator[str]:
    begun = 0
    for place, index in enumerate(indices, 1):
        if place == len(indices) or indices[place] != index + 1:
            first = indices[begun]
            yield str(first) if first == index else f"{first}-{index}"
            begun = place


def unpacked(text: str) -> tuple[int, ...]:
    """Return the indices that a tag names; none if it is damaged."""
    found: list[int] = []
    try:
        for run in text.split(","):
            first, dash, last = run.partition("-")
            span = range(int(first), int(last if dash else first) + 1)
            if len(span) + len(found) > MOST:
                return ()
            found += span
    except ValueError:
        return ()
    return tuple(found)
