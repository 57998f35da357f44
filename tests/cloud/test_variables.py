"""What commands are told of their node and the others."""

from tinycloud import Node, Status
from tinycloud.cloud.variables import LONGEST_LIST, variables


def node(tag: str, index: int, address: str | None, private: str | None = None) -> Node:
    """Return a node at this address."""
    return Node(
        tag=tag,
        index=index,
        id=f"{tag}{index}",
        status=Status.RUNNING,
        address=address,
        private_address=private,
    )


def test_each_node_is_told_who_it_is_and_who_the_others_are() -> None:
    """Ranks go through all groups; where there is a private address, it is the one."""
    nodes = (
        node("master", 0, "1.2.3.4", "10.0.0.4"),
        node("worker", 0, "1.2.3.5", "10.0.0.5"),
        node("worker", 2, "1.2.3.6"),
        node("worker", 3, None),
    )
    found = variables("voltron", nodes)
    assert list(found) == ["master-0", "worker-0", "worker-2", "worker-3"]
    assert found["worker-2"] == {
        "TINYCLOUD_CLUSTER": "voltron",
        "TINYCLOUD_NODE": "worker-2",
        "TINYCLOUD_TAG": "worker",
        "TINYCLOUD_INDEX": "2",
        "TINYCLOUD_ADDRESS": "1.2.3.6",
        "TINYCLOUD_RANK": "2",
        "TINYCLOUD_COUNT": "4",
        "TINYCLOUD_MASTER": "10.0.0.4",
        "TINYCLOUD_ADDRESSES": "master-0=10.0.0.4 worker-0=10.0.0.5 worker-2=1.2.3.6",
    }
    assert found["worker-3"]["TINYCLOUD_ADDRESS"] == ""
    assert [each["TINYCLOUD_RANK"] for each in found.values()] == ["0", "1", "2", "3"]


def test_a_list_that_is_too_long_is_left_out() -> None:
    """The list of 150 nodes with private addresses is there, that of 1,000 is not."""
    for count, there in ((150, True), (1000, False)):
        nodes = [node("worker", n, "1.2.3.4", f"10.0.{n // 250}.{n % 250}") for n in range(count)]
        (first, *_) = variables("voltron", nodes).values()
        assert ("TINYCLOUD_ADDRESSES" in first) == there
        assert len(first.get("TINYCLOUD_ADDRESSES", "")) <= LONGEST_LIST
        assert first["TINYCLOUD_COUNT"] == str(count)


def test_no_nodes() -> None:
    """Without nodes there is nothing to tell."""
    assert variables("voltron", ()) == {}
