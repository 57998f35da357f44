"""Show what launching would do, and do nothing."""

from ..cloud import Cloud
from ..cloud.plan import Change, change
from ..node import node_name
from ..nodeset import folded
from . import json_text, table
from .say import answer


async def changes(cloud: Cloud, *, exists: bool) -> tuple[Change, ...]:
    """Return what launching would do to each group; nothing is asked of one that is no cluster."""
    nodes = await cloud.list() if exists else ()
    return tuple(change(g, [node for node in nodes if node.tag == g.tag]) for g in cloud.groups)


def show(cloud: Cloud, found: tuple[Change, ...], *, as_json: bool) -> None:
    """Print what launching would do."""
    driver = cloud.groups[0].driver
    if as_json:
        groups = [
            {key: getattr(c, key) for key in ("tag", "create", "start", "keep", "surplus")}
            for c in found
        ]
        content = {"name": cloud.name, "driver": driver.name, "options": dict(driver.options)}
        answer(json_text.dump({**content, "groups": groups}))
        return
    rows = [
        (c.tag, *(_names(c.tag, indices) for indices in (c.create, c.start, c.keep, c.surplus)))
        for c in found
    ]
    answer(f"plan for cluster '{cloud.name}' with driver {driver.name}; nothing is touched")
    table.show(("GROUP", "CREATE", "START", "KEEP", "BEYOND"), rows)


def _names(tag: str, indices: tuple[int, ...]) -> str:
    return folded(node_name(tag, index) for index in indices) or "-"
