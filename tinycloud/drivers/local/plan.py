"""Decide which nodes must be brought to life."""

from .folders import GroupFolder, NodeFolder


def to_run(group: GroupFolder, count: int) -> tuple[NodeFolder, ...]:
    """Return the nodes that don't run: those that have lived, and what is missing below `count`."""
    records = {folder.index: folder.record() for folder in group.nodes()}
    lived = {index for index, record in records.items() if record is not None}
    running = {index for index, record in records.items() if record and record.running}
    return tuple(group.node(index) for index in sorted((lived | set(range(count))) - running))
