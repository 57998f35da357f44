"""What the shell offers when TAB is pressed: names of clusters and of their groups."""

import typer

from ..errors import TinycloudError
from ..store import ClusterFolder, known_clusters


def clusters(incomplete: str) -> list[str]:
    """Return the known clusters whose names begin so."""
    try:
        return [name for name in known_clusters() if name.startswith(incomplete)]
    except TinycloudError:  # a shell that completes has no place for an error
        return []


def tags(context: typer.Context, incomplete: str) -> list[str]:
    """Return the groups of the cluster named before, if their names begin so."""
    try:
        record = ClusterFolder(context.params.get("name") or "").record()
    except TinycloudError:
        return []
    groups = record.groups if record else ()
    return [group.tag for group in groups if group.tag.startswith(incomplete)]
