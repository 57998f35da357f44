"""Decisions of the orchestrator: plain functions of plain data, and no I/O."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..driver import Group
from ..errors import InvalidInput
from ..group import GroupSpec
from ..node import Node, Status, node_name
from ..nodeset import folded
from ..store import GroupRecord


@dataclass(frozen=True, slots=True)
class Change:
    """What a launch would do to one group, by index."""

    tag: str
    create: tuple[int, ...]
    start: tuple[int, ...]
    keep: tuple[int, ...]
    surplus: tuple[int, ...]


def change(group: Group, existing: Iterable[Node]) -> Change:
    """Return what makes the group whole and touches nothing that is fine."""
    found = {node.index: node for node in existing}
    wanted = range(group.count)
    return Change(
        tag=group.tag,
        create=tuple(i for i in wanted if i not in found),
        start=tuple(i for i in wanted if i in found and found[i].status is Status.STOPPED),
        keep=tuple(i for i in wanted if i in found and found[i].status is not Status.STOPPED),
        surplus=tuple(i for i in sorted(found) if i >= group.count),
    )


def created(before: Iterable[Node], after: Iterable[Node]) -> tuple[Node, ...]:
    """Return the nodes that are new: a machine is known by its id, not by its index."""
    known = {node.id for node in before}
    return tuple(node for node in after if node.id not in known)


def started(before: Iterable[Node], after: Iterable[Node]) -> tuple[Node, ...]:
    """Return the nodes that were stopped, and were started to live for a while."""
    stopped = {node.id for node in before if node.status is Status.STOPPED}
    return tuple(node for node in after if node.id in stopped and node.expires_at is not None)


def checked_groups(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Return the groups, or raise `InvalidInput` if there are none, or two of one name."""
    found = tuple(groups)
    tags = [group.tag for group in found]
    double = next((tag for tag in tags if tags.count(tag) > 1), None)
    if double is not None:
        raise InvalidInput(f"two groups are called '{double}'", fix="give each its own tag")
    if not found:
        raise InvalidInput("a cluster needs a group", fix="pass at least one Group")
    return found


def merged(
    recorded: Sequence[GroupRecord], groups: Iterable[Group], absent: Mapping[str, Collection[int]]
) -> tuple[GroupRecord, ...]:
    """Return the group records after a launch of `groups`.

    No group ever gets smaller or is forgotten: its machines exist until they are
    destroyed. `absent` are the indices that a launch with a minimum gave up; those
    that an earlier one gave up and this one does not ask for stay absent.
    """
    old = {group.tag: group for group in recorded}
    new = {g.tag: _merged(old.get(g.tag), g, absent.get(g.tag, ())) for g in groups}
    return tuple({**old, **new}.values())


def _merged(old: GroupRecord | None, group: Group, absent: Collection[int]) -> GroupRecord:
    beyond = [i for i in old.absent if i >= group.count] if old else []
    return GroupRecord(
        tag=group.tag,
        count=largest(group, old),
        driver=group.driver.name,
        options=group.driver.options,
        absent=tuple(sorted({*absent, *beyond})),
        via=group.via,
        ttl=group.ttl,
        setup=group.setup,
    )


def largest(group: Group, recorded: GroupRecord | None) -> int:
    """Return the largest size that the group ever had."""
    return max(group.count, recorded.count if recorded else 0)


def spec(
    cluster: str, group: Group, count: int, keys: tuple[str, ...] = (), *, generation: str = ""
) -> GroupSpec:
    """Return what a driver is told about the group, as one of `count` nodes."""
    return GroupSpec(
        cluster=cluster,
        tag=group.tag,
        count=count,
        authorized_keys=keys,
        ttl=group.ttl,
        setup=group.setup,
        generation=generation,
    )


def clash(recorded: Sequence[GroupRecord], groups: Iterable[Group]) -> GroupRecord | None:
    """Return the recorded group that one of these would take over from another driver."""
    drivers = {group.tag: group.driver.name for group in groups}
    return next((r for r in recorded if drivers.get(r.tag, r.driver) != r.driver), None)


def expected(
    group: Group, record: GroupRecord | None, existing: Sequence[Node]
) -> tuple[Node, ...]:
    """Return the nodes that the group has or should have, by index; missing ones `terminated`."""
    found = {node.index: node for node in existing}
    if record is not None:
        for index in set(range(record.count)) - set(record.absent) - set(found):
            found[index] = missing(group.tag, index)
    return tuple(found[index] for index in sorted(found))


def missing(tag: str, index: int) -> Node:
    """Return what there is to say of a machine that does not exist."""
    return Node(tag=tag, index=index, id="", status=Status.TERMINATED)


def chosen(
    nodes: Sequence[Node], groups: Iterable[Group], tag: str | None, index: Collection[int] | None
) -> tuple[Node, ...]:
    """Return the nodes with this tag and one of these indices; None stands for all.

    Raises `InvalidInput` for a tag or an index that no node has.
    """
    tags = tuple(group.tag for group in groups)
    if tag is not None and tag not in tags:
        raise InvalidInput(f"no group '{tag}'", fix=f"take one of: {', '.join(tags)}")
    found = tuple(node for node in nodes if tag is None or node.tag == tag)
    if index is None:
        return found
    unknown = sorted(set(index) - {node.index for node in found})
    if unknown:
        last = max((node.index for node in found), default=-1)
        raise InvalidInput(
            f"no node {node_name(tag, unknown[0]) if tag else f'with index {unknown[0]}'}",
            fix=f"take an index from 0 to {last}" if last >= 0 else "launch nodes first",
        )
    return tuple(node for node in found if node.index in index)


def named(nodes: Sequence[Node], names: Collection[str] | None) -> tuple[Node, ...]:
    """Return the nodes of these names; None stands for all.

    Raises `InvalidInput` for a name that no node has.
    """
    if names is None:
        return tuple(nodes)
    unknown = sorted(set(names) - {node.name for node in nodes})
    if unknown:
        known = folded(node.name for node in nodes) or "none"
        raise InvalidInput(f"no node {folded(unknown)}", fix=f"take some of: {known}")
    return tuple(node for node in nodes if node.name in names)


def enough(wanted: Iterable[Group], up: Mapping[str, int], minimum: int) -> bool:
    """Return whether each group has `minimum` nodes up, or all of a smaller group."""
    return all(up[group.tag] >= min(minimum, group.count) for group in wanted)


def without(recorded: Sequence[GroupRecord], tags: Collection[str]) -> tuple[GroupRecord, ...]:
    """Return the group records but those of `tags`."""
    return tuple(group for group in recorded if group.tag not in tags)
