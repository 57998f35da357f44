"""Whose instances are whose: a cluster's own id decides, never its name alone."""

from collections.abc import Collection

from ...errors import ClusterExists, InvalidInput
from ...group import GroupSpec
from .batches import derived_generation
from .instances import Instance


def to_launch(spec: GroupSpec, seen: Collection[Instance], region: str) -> str:
    """Return the id of the cluster to launch; raise if another one of its name is there."""
    others = {one.generation for one in seen if one.lives} - {spec.generation}
    if not spec.generation and len(others) <= 1:
        return next(iter(others), derived_generation(spec.cluster))
    if others:
        destroy = f"tinycloud destroy {spec.cluster} --driver aws --region {region}"
        raise ClusterExists(
            f"another cluster '{spec.cluster}' is in {region}",
            cause=f"its id is {' or '.join(sorted(others))}, and it was not launched from here",
            fix=f"take another name; or, if nobody needs it, remove its record here and: {destroy}",
        )
    return spec.generation


def to_destroy(
    spec: GroupSpec, seen: Collection[Instance], groups: Collection[str], region: str
) -> str:
    """Return the id of the cluster to destroy, empty if there is none.

    `groups` are the ids by which security groups are tagged that have its name. Raises
    `InvalidInput` if that is not enough to tell.
    """
    if spec.generation:
        return spec.generation
    found = {one.generation for one in seen if one.state != "terminated"} | set(groups) - {""}
    if len(found) > 1:
        raise InvalidInput(
            f"there are {len(found)} clusters called '{spec.cluster}' in {region}",
            cause=f"their ids are {', '.join(sorted(found))}",
            fix="destroy each from where it was launched, or see: tinycloud reap",
        )
    return next(iter(found), "")
