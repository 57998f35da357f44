"""Why nodes did not end well, each thing said once, and what helps where they were not reached."""

from collections import defaultdict
from collections.abc import Collection

from ..node import Node
from ..nodeset import folded
from ..result import Result, State

UNREACHED = {
    State.UNTRUSTED: "find out who answers there; a machine that was rebuilt must be replaced",
    State.UNREACHABLE: "'tinycloud status {0}' shows the nodes, 'tinycloud launch {0}' mends them",
    State.GONE: "'tinycloud launch {0}' makes the nodes that are missing",
}
"""What helps, for the worst that happened, whatever was to be done on the nodes."""

_REFUSED = "it refused our key"


def reasons(failed: Collection[Result]) -> str:
    """Return what went wrong, each thing once, and on which nodes."""
    nodes: defaultdict[str, list[Node]] = defaultdict(list)
    for result in failed:
        reason = (result.error or str(result.state)).replace(f"{result.node.name} ", "it ")
        nodes[reason].append(result.node)
    return "; ".join(
        f"{folded(node.name for node in found)}: {reason}" for reason, found in nodes.items()
    )


def unreached(state: State, failed: Collection[Result]) -> str | None:
    """Return what helps where `state` is the worst; None if it is about what was to be done."""
    there = [result.error or "" for result in failed if result.state is State.UNREACHABLE]
    if state is State.UNREACHABLE and all(_REFUSED in error for error in there):
        return "use the key and the user that the nodes were launched with"
    return UNREACHED.get(state)
