"""An instance is the node that its tags say, and an index has one instance."""

from datetime import UTC, datetime
from typing import Any

from tinycloud import Status
from tinycloud.drivers.aws.instances import Instance, chosen, doubles, parsed

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
TAGS = {
    "tinycloud:cluster": "voltron",
    "tinycloud:id": "one",
    "tinycloud:tag": "worker",
    "tinycloud:indices": "2,4",
    "tinycloud:username": "ubuntu",
    "tinycloud:boot-key": "ssh-ed25519 AAAA",
    "tinycloud:host-ca": "ssh-ed25519 BBBB",
    "tinycloud:expires-at": "2026-11-27T20:00:00+00:00",
}


def described(**words: Any) -> dict[str, Any]:
    """Return an instance as EC2 describes it."""
    tags = {**TAGS, **words.pop("tags", {})}
    return {
        "InstanceId": "i-1",
        "AmiLaunchIndex": 1,
        "State": {"Name": "running"},
        "PrivateIpAddress": "10.0.0.7",
        "PublicIpAddress": "203.0.113.7",
        "LaunchTime": NOON,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        **words,
    }


def instance(id_: str, *, state: str = "running", minute: int = 0, index: int = 0) -> Instance:
    """Return an instance that was launched so many minutes past noon."""
    return Instance(
        id=id_,
        state=state,
        cluster="voltron",
        generation="one",
        tag="worker",
        index=index,
        launched_at=NOON.replace(minute=minute),
    )


def test_a_node() -> None:
    """The index is the place in the batch, and the host key is told with who vouches for others."""
    found = parsed(described())
    assert found is not None
    node = found.node
    assert (node.name, node.id, node.status) == ("worker-4", "i-1", Status.RUNNING)
    assert (node.address, node.private_address) == ("203.0.113.7", "10.0.0.7")
    assert (node.username, node.launched_at) == ("ubuntu", NOON)
    assert node.host_key == "ssh-ed25519 AAAA\n@cert-authority ssh-ed25519 BBBB"
    assert node.expires_at == datetime(2026, 11, 27, 20, tzinfo=UTC)


def test_addresses() -> None:
    """The private address counts only for what runs without a public one."""
    for state, address in (("running", "10.0.0.7"), ("pending", None), ("stopped", None)):
        found = parsed(described(PublicIpAddress=None, State={"Name": state}))
        assert found is not None
        assert found.address == address


def test_what_is_not_of_our_making() -> None:
    """Without an id, a group, or a place in its batch, an instance is nobody's node."""
    assert parsed({"InstanceId": "i-1"}) is None
    assert parsed(described(AmiLaunchIndex=2)) is None
    for name in ("id", "tag", "indices"):
        assert parsed(described(tags={f"tinycloud:{name}": ""})) is None


def test_statuses() -> None:
    """What is about to stop is stopped, and what is about to end has ended."""
    words = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")
    found = [instance("i-1", state=word).status for word in words]
    assert [str(status) for status in found] == [
        "pending",
        "running",
        "stopped",
        "stopped",
        "terminated",
        "terminated",
    ]


def test_an_index_has_one_instance() -> None:
    """The first that was launched has it; later ones are doubles, the dead count for nothing."""
    first, later = instance("i-b", minute=1), instance("i-a", minute=2)
    dead, other = instance("i-c", state="terminated"), instance("i-d", index=1)
    every = (later, other, dead, first)
    assert chosen(every, "worker", "one") == (first, other)
    assert doubles(every, "worker", "one") == (later,)
    assert doubles(every, "worker", "two") == doubles(every, "master", "one") == ()
