"""What a command is told about the node that it runs on, and about the others."""

from collections.abc import Mapping, Sequence

from ..node import Node

LONGEST_LIST = 4096
"""Bytes that `TINYCLOUD_ADDRESSES` may take: it is part of every command that is sent."""


def reach(node: Node) -> str:
    """Return the address at which the other nodes reach it best; empty while it has none."""
    return node.private_address or node.address or ""


def whereabouts(cluster: str, node: Node, *, rank: int, count: int) -> dict[str, str]:
    """Return what there is to say of one node as the `rank`th of `count`, and as it came up."""
    return {
        "TINYCLOUD_CLUSTER": cluster,
        "TINYCLOUD_NODE": node.name,
        "TINYCLOUD_TAG": node.tag,
        "TINYCLOUD_INDEX": str(node.index),
        "TINYCLOUD_ADDRESS": reach(node),
        "TINYCLOUD_RANK": str(rank),
        "TINYCLOUD_COUNT": str(count),
    }


def variables(cluster: str, nodes: Sequence[Node]) -> Mapping[str, dict[str, str]]:
    """Return for each of a cluster's nodes, by name, the variables that its commands have.

    `nodes` are all that it should have, in order of their ranks. The list of all
    addresses is left out where it would be too long.
    """
    pairs = (f"{node.name}={reach(node)}" for node in nodes if reach(node))
    shared = {
        "TINYCLOUD_MASTER": reach(nodes[0]) if nodes else "",
        "TINYCLOUD_ADDRESSES": " ".join(pairs),
    }
    if len(shared["TINYCLOUD_ADDRESSES"]) > LONGEST_LIST:
        del shared["TINYCLOUD_ADDRESSES"]
    return {
        node.name: whereabouts(cluster, node, rank=rank, count=len(nodes)) | shared
        for rank, node in enumerate(nodes)
    }
