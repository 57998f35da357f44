"""The nodes that a command failed on last, to be named again."""

from collections.abc import Collection, Iterable

from ..errors import InvalidInput
from ..nodeset import folded
from ..result import Result
from ..store import ClusterFolder


def again(cluster: str, tag: str | None, index: Collection[int] | None) -> tuple[str, ...]:
    """Return the names of those nodes, of this group and these indices; there must be some."""
    names = ClusterFolder(cluster).failed()
    found = tuple(name for name in names if is_chosen(name, tag, index))
    if found:
        return found
    cause = f"those that failed are {folded(names)}" if names else ""
    raise InvalidInput(
        f"no {'such ' if names else ''}node of '{cluster}' failed last",
        cause=cause,
        fix="leave out --retry-failed",
    )


def is_chosen(name: str, tag: str | None, index: Collection[int] | None) -> bool:
    """Return whether the node of this name is of this group and these indices."""
    of, _, number = name.rpartition("-")
    return tag in (None, of) and (index is None or number in map(str, index))


def keep(
    cluster: str, results: Iterable[Result], planned: Collection[str], *, retried: bool
) -> None:
    """Keep the names of the nodes that did not end well.

    Those that failed before stay until they were tried again: a look around, with a
    command that works everywhere, changes nothing.
    """
    ok = {result.node.name for result in results if result.ok}
    names = [name for name in planned if name not in ok]
    if planned and (names or retried):
        folder = ClusterFolder(cluster)
        untried = [name for name in folder.failed() if name not in planned] if retried else []
        folder.keep_failed([*untried, *names])
