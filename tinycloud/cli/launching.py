"""Launch a cluster and show how that goes."""

from ..cloud import Cloud
from ..node import Node
from ..nodeset import folded
from ..store import ClusterFolder
from . import interrupt
from .progress import STAGES, Watch
from .say import error, note


def launch(
    cloud: Cloud, *, wait: bool = True, minimum: int | None = None, accept_new: bool = False
) -> tuple[Node, ...]:
    """Launch the cluster and show how that goes; return its nodes."""
    existed = ClusterFolder(cloud.name).record() is not None
    watch = Watch(cloud, STAGES if wait else ())

    async def work() -> tuple[Node, ...]:
        groups = await cloud.launch(
            wait, minimum=minimum, report=watch.report, accept_new=accept_new
        )
        return tuple(node for nodes in groups.values() for node in nodes)

    def first() -> None:
        note("interrupted: destroying what this launch created (once more leaves at once)")

    with watch:
        return interrupt.run(
            work(), first=first, second=lambda: leave(cloud.name, watch, existed=existed)
        )


def start(cloud: Cloud) -> tuple[Node, ...]:
    """Start the cluster's nodes and show how that goes; return them."""
    watch = Watch(cloud)

    def first() -> None:
        note("interrupted: what has started stays (once more leaves at once)")

    with watch:
        return interrupt.run(
            cloud.start(report=watch.report),
            first=first,
            second=lambda: leave(cloud.name, watch, existed=True),
        )


def leave(name: str, watch: Watch, *, existed: bool = False) -> None:
    """Say, on the way out after a second interrupt, what remains and how to remove it."""
    watch.stop()
    fix = f"tinycloud destroy {name}"
    if existed:
        fix = f"'tinycloud start {name}' makes it whole, '{fix}' removes all of it"
    error("left at once", f"these may remain: {watch.may_remain}", fix)


def say_surplus(cloud: Cloud, nodes: tuple[Node, ...]) -> None:
    """Say which nodes are more than was asked for: nothing is removed for that."""
    sizes = {group.tag: group.count for group in cloud.groups}
    surplus = [node.name for node in nodes if node.index >= sizes[node.tag]]
    if surplus:
        note(f"more than asked for, and kept: {folded(surplus)}")
