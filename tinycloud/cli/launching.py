"""Launch a cluster, or show what launching would do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..cloud import Cloud
from ..cloud.plan import Change, change
from ..drivers import make
from ..errors import InvalidInput
from ..node import Node, node_name
from ..store import ClusterFolder
from . import interrupt, json_text, table
from .clusters import choose_driver, to_launch
from .nodeset import folded
from .progress import Watch
from .say import answer, error, note

EXAMPLE = "example"
"""What a cluster is called in a plan without a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A launch as it was asked for on the command line."""

    name: str
    workers: int | None = None
    driver: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    authorize: tuple[str, ...] = ()
    setup: str | None = None


def ordered(order: Order) -> Cloud:
    """Return the cluster that was asked for, and say which driver it is of and why."""
    record = ClusterFolder(order.name).record()
    name, options, reason = choose_driver(record, order.driver, order.options)
    driver = make(name, options)
    note(f"driver: {name} ({reason})")
    return to_launch(order.name, order.workers, driver, record, order.authorize, order.setup)


def launch(
    cloud: Cloud, *, wait: bool = True, minimum: int | None = None, starting: bool = False
) -> tuple[Node, ...]:
    """Launch (or only start) the cluster and show how that goes; return its nodes."""
    watch = Watch(sum(group.count for group in cloud.groups))

    async def work() -> tuple[Node, ...]:
        if starting:
            return await cloud.start(report=watch.report)
        groups = await cloud.launch(wait, minimum=minimum, report=watch.report)
        return tuple(node for nodes in groups.values() for node in nodes)

    def first() -> None:
        what = "stopping" if starting else "destroying what this launch created"
        note(f"interrupted: {what} (once more leaves at once)")

    with watch:
        return interrupt.run(work(), first=first, second=lambda: leave(cloud.name, watch))


def leave(name: str, watch: Watch) -> None:
    """Say, on the way out after a second interrupt, what remains and how to remove it."""
    nodes = watch.may_remain or f"nodes of '{name}'"
    error(f"interrupted twice: {nodes} may remain", "", f"tinycloud destroy {name}")


def say_surplus(cloud: Cloud, nodes: tuple[Node, ...]) -> None:
    """Say which nodes are more than was asked for: nothing is removed for that."""
    sizes = {group.tag: group.count for group in cloud.groups}
    surplus = [node.name for node in nodes if node.index >= sizes[node.tag]]
    if surplus:
        note(f"{folded(surplus)} exist beyond the number asked for, and stay")


async def changes(cloud: Cloud) -> tuple[Change, ...]:
    """Return what launching would do to each group."""
    nodes = await cloud.list()
    return tuple(change(g, [node for node in nodes if node.tag == g.tag]) for g in cloud.groups)


def show_plan(cloud: Cloud, found: tuple[Change, ...], *, as_json: bool) -> None:
    """Print what launching would do."""
    driver = cloud.groups[0].driver
    if as_json:
        groups = [
            {"tag": c.tag, "create": c.create, "start": c.start, "keep": c.keep} for c in found
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


def public_keys(files: list[Path]) -> tuple[str, ...]:
    """Return the public key lines in these files, or raise `InvalidInput`."""
    return tuple(line for file in files for line in _lines(file))


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text()
    except (OSError, ValueError) as problem:
        raise InvalidInput(
            f"can't read {file}", cause=str(problem), fix="give the path of a public key (.pub)"
        ) from problem
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if "PRIVATE KEY" in text or not all(" AAAA" in line for line in lines) or not lines:
        raise InvalidInput(f"{file} is not a public key", fix="give the file that ends in .pub")
    return lines


def setup_script(file: Path | None) -> str | None:
    """Return the setup script in this file."""
    try:
        return None if file is None else file.read_text()
    except (OSError, ValueError) as problem:
        raise InvalidInput(
            f"can't read {file}", cause=str(problem), fix="give the path of a shell script"
        ) from problem
