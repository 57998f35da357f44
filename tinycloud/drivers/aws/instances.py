"""An instance as EC2 describes it, and the node that it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...node import Node, Status
from . import tags
from .lifetime import parsed_expiry

_STATUS = {
    "pending": Status.PENDING,
    "running": Status.RUNNING,
    "stopping": Status.STOPPED,
    "stopped": Status.STOPPED,
    "shutting-down": Status.TERMINATED,
    "terminated": Status.TERMINATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance of some cluster: `state` is EC2's own word, and `reason` why that is so.

    `token` is that of the call that launched it.
    """

    id: str
    state: str
    cluster: str
    generation: str
    tag: str
    index: int
    zone: str = ""
    type: str = ""
    image: str = ""
    username: str = ""
    host_key: str | None = None
    address: str | None = None
    private_address: str | None = None
    launched_at: datetime | None = None
    expires_at: datetime | None = None
    token: str = ""
    reason: str = ""

    @property
    def status(self) -> Status:
        """What it is doing, in our words."""
        return _STATUS.get(self.state, Status.PENDING)

    @property
    def lives(self) -> bool:
        """Whether it exists, and is not about to end."""
        return self.status is not Status.TERMINATED

    @property
    def node(self) -> Node:
        """The node that it is."""
        return Node(
            tag=self.tag,
            index=self.index,
            id=self.id,
            status=self.status,
            address=self.address,
            username=self.username or "root",
            private_address=self.private_address,
            launched_at=self.launched_at,
            host_key=self.host_key,
            expires_at=self.expires_at,
        )


def parsed(described: Mapping[str, Any]) -> Instance | None:
    """Return the instance that EC2 describes so; None if it is not of our making."""
    told = tags.of(described)
    place = int(described.get("AmiLaunchIndex") or 0)
    indices = tags.unpacked(told.get(tags.INDICES, ""))
    if not told.get(tags.ID) or not told.get(tags.TAG) or place >= len(indices):
        return None
    state = described.get("State", {}).get("Name", "pending")
    return Instance(
        id=described["InstanceId"],
        state=state,
        cluster=told.get(tags.CLUSTER, ""),
        generation=told[tags.ID],
        tag=told[tags.TAG],
        index=indices[place],
        zone=described.get("Placement", {}).get("AvailabilityZone", ""),
        type=described.get("InstanceType", ""),
        image=told.get(tags.IMAGE, described.get("ImageId", "")),
        username=told.get(tags.USERNAME, ""),
        host_key=_host_key(told),
        address=_address(described, state),
        private_address=described.get("PrivateIpAddress") or None,
        launched_at=described.get("LaunchTime"),
        expires_at=parsed_expiry(told.get(tags.EXPIRES_AT)),
        token=described.get("ClientToken", ""),
        reason=described.get("StateReason", {}).get("Message", ""),
    )


def _host_key(told: Mapping[str, str]) -> str | None:
    """Return the planted key, and who vouches for the one that the node makes in its place."""
    lines = [told[tags.BOOT_KEY]] if tags.BOOT_KEY in told else []
    if tags.HOST_CA in told:
        lines.append(f"@cert-authority {told[tags.HOST_CA]}")
    return "\n".join(lines) or None


def _address(described: Mapping[str, Any], state: str) -> str | None:
    """Return the public address; the private one of an instance that runs without."""
    public: str | None = described.get("PublicIpAddress") or None
    if public or state != "running":
        return public
    return described.get("PrivateIpAddress") or None


def chosen(instances: Iterable[Instance], tag: str, generation: str = "") -> tuple[Instance, ...]:
    """Return the living instances of a group, one for each index: the first that was launched."""
    found: dict[tuple[int, str], Instance] = {}
    for one in sorted(instances, key=_age, reverse=True):
        if one.lives and one.tag == tag and generation in ("", one.generation):
            found[one.index, one.generation] = one
    return tuple(found[key] for key in sorted(found))


def doubles(instances: Iterable[Instance], tag: str, generation: str) -> tuple[Instance, ...]:
    """Return the living instances of a group that have an index which an earlier one has.

    Tokens prevent them but for one case: a launch that was killed in a zone to which it had
    come from a full one, and that is done again while EC2 does not show yet what it made,
    and the first zone has room now.
    """
    every = tuple(instances)
    first = {one.id for one in chosen(every, tag, generation)}
    return tuple(
        one
        for one in every
        if one.lives and (one.tag, one.generation) == (tag, generation) and one.id not in first
    )


def _age(instance: Instance) -> tuple[float, str]:
    launched = instance.launched_at
    return (launched.timestamp() if launched else 0.0, instance.id)
