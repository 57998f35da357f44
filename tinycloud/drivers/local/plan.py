"""Decide which nodes must be brought to life."""

from .folders import GroupFolder, NodeFolder


def to_run(group: GroupFolder, count: int) -> tuple[NodeFolder, ...]:
    """Return the nodes that don't run: those that exist, and what is missing below `count`."""
    indices = {folder.index for folder in group.nodes()} | set(range(count))
    folders = (group.node(index) for index in sorted(indices))
    return tuple(folder for folder in folders if not _runs(folder))


def _runs(folder: NodeFolder) -> bool:
    record = folder.record()
    return record is not None and record.running
