"""Show what launching would do, and do nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..cloud import Cloud
from ..cloud.plan import Change, change
from ..cloud.preview import previewed
from ..node import node_name
from ..nodeset import folded
from ..text import printable
from . import json_text, table
from .say import answer


@dataclass(frozen=True, slots=True)
class Plan:
    """What launching would do to each group, and what its driver has to say of that."""

    changes: tuple[Change, ...]
    remarks: Mapping[str, str]


async def plan(cloud: Cloud, *, exists: bool) -> Plan:
    """Return what launching would do; the nodes are not asked of what is no cluster."""
    nodes = await cloud.list() if exists else ()
    changes = tuple(change(g, [node for node in nodes if node.tag == g.tag]) for g in cloud.groups)
    sizes = {one.tag: len(one.create) for one in changes}
    return Plan(changes, await previewed(cloud.name, cloud.groups, sizes))


def show(cloud: Cloud, found: Plan, *, as_json: bool) -> None:
    """Print what launching would do."""
    driver = cloud.groups[0].driver
    if as_json:
        groups = [
            {key: getattr(c, key) for key in ("tag", "create", "start", "keep", "surplus")}
            for c in found.changes
        ]
        content = {"name": cloud.name, "driver": driver.name, "options": dict(driver.options)}
        remarks = {"remarks": dict(found.remarks)} if found.remarks else {}
        answer(json_text.dump({**content, "groups": groups, **remarks}))
        return
    rows = [
        (c.tag, *(_names(c.tag, indices) for indices in (c.create, c.start, c.keep, c.surplus)))
        for c in found.changes
    ]
    answer(f"plan for cluster '{cloud.name}' with driver {driver.name}; nothing is touched")
    table.show(("GROUP", "CREATE", "START", "KEEP", "BEYOND"), rows)
    for name, remark in found.remarks.items():
        answer(printable(f"{name}: {remark}"))


def _names(tag: str, indices: tuple[int, ...]) -> str:
    return folded(node_name(tag, index) for index in indices) or "-"
