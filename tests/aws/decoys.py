"""Resources of others that look like ours, and are not to be touched."""

from dataclasses import dataclass
from xml.etree import ElementTree

from .world import World


@dataclass(frozen=True, slots=True)
class Decoys:
    """What was put there, as it was then."""

    world: World
    before: dict[str, str]

    def check_untouched(self) -> None:
        """Check that all of it is still there, as it was."""
        now = seen(self.world)
        assert {id_: now.get(id_) for id_ in self.before} == self.before


def seen(world: World) -> dict[str, str]:
    """Return all that EC2 says of each instance, group, key and volume, by id."""
    found = {}
    for action, path, name in (
        ("DescribeInstances", "reservationSet/item/instancesSet/item", "instanceId"),
        ("DescribeSecurityGroups", "securityGroupInfo/item", "groupId"),
        ("DescribeKeyPairs", "keySet/item", "keyName"),
        ("DescribeVolumes", "volumeSet/item", "volumeId"),
    ):
        many = {"MaxResults": "1000"} if action == "DescribeInstances" else {}
        for one in world.ask(action, **many).tree.findall(path):
            found[one.findtext(name) or ""] = ElementTree.tostring(one, "unicode")
    return found


def decoys(world: World, cluster: str) -> Decoys:
    """Put things into the account that others might take for this cluster's."""
    tags = {
        "alike": {"tinycloud:cluster": f"{cluster}-2", "tinycloud:tag": "worker"},
        "cased": {"tinycloud:cluster": cluster.title(), "tinycloud:tag": "worker"},
        "named": {"Name": f"{cluster}/worker-0"},
        "half": {"cluster": cluster, "tag": "worker"},
        "bare": {},
    }
    before = seen(world)
    for number, tag in enumerate(tags.values()):
        group = world.ask(
            "CreateSecurityGroup",
            GroupName=f"tinycloud-{cluster}-{number:08x}",
            GroupDescription=f"tinycloud cluster {cluster}",
        ).tree.findtext("groupId")
        assert group
        world.ask(
            "RunInstances",
            ImageId="ami-00dddd86000000001",
            InstanceType="t3.medium",
            MinCount="1",
            MaxCount="1",
            **{"SecurityGroupId.1": group},
            **_specification(tag),
        )
        if tag:
            world.ask("CreateTags", **{"ResourceId.1": group}, **_tags(tag))
    world.ask("CreateKeyPair", KeyName=f"tinycloud-{cluster}")
    world.ask("CreateVolume", Size="1", AvailabilityZone="us-east-1a")
    return Decoys(world, {id_: all_ for id_, all_ in seen(world).items() if id_ not in before})


def same_name(world: World, cluster: str) -> Decoys:
    """Put a cluster of the same name there, which is somebody else's: it has another id."""
    before = seen(world)
    tag = {
        "tinycloud:cluster": cluster,
        "tinycloud:tag": "worker",
        "tinycloud:id": "0123456789abcdef0123456789abcdef",
        "tinycloud:indices": "0",
    }
    world.ask(
        "RunInstances",
        ImageId="ami-00dddd86000000001",
        InstanceType="t3.medium",
        MinCount="1",
        MaxCount="1",
        **_specification(tag),
    )
    return Decoys(world, {id_: all_ for id_, all_ in seen(world).items() if id_ not in before})


def _specification(tags: dict[str, str]) -> dict[str, str]:
    begin = "TagSpecification.1"
    kind = {f"{begin}.ResourceType": "instance"} if tags else {}
    return kind | {f"{begin}.{name}": value for name, value in _tags(tags).items()}


def _tags(tags: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (key, value) in enumerate(tags.items(), 1):
        found |= {f"Tag.{number}.Key": key, f"Tag.{number}.Value": value}
    return found
