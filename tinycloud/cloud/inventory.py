"""What there is of a cluster, and what there should be."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ..driver import Group
from ..errors import NoSuchCluster
from ..fanout import fan_out
from ..group import GroupSpec
from ..node import Node
from ..store import ClusterFolder, GroupRecord
from . import plan
from .foreign import asking


@dataclass(frozen=True, slots=True)
class Inventory:
    """Asks the drivers for a cluster's nodes; they must be open."""

    groups: tuple[Group, ...]
    folder: ClusterFolder

    def specs(self) -> dict[str, GroupSpec]:
        """Return what a driver is told about each group that may be there already.

        Its count is the largest size that it ever had: not all drivers can look for
        machines without knowing how many there may be.
        """
        recorded = self._recorded()
        record = self.folder.record()
        return {
            group.tag: plan.spec(
                self.folder.name,
                group,
                plan.largest(group, recorded.get(group.tag)),
                generation=record.generation if record else "",
            )
            for group in self.groups
        }

    def _recorded(self) -> dict[str, GroupRecord]:
        record = self.folder.record()
        return {group.tag: group for group in record.groups} if record else {}

    async def nodes(self) -> tuple[Node, ...]:
        """Return the nodes that exist, ordered by group, then index."""
        specs = self.specs()
        found = await fan_out(lambda group: listed(group, specs[group.tag]), self.groups)
        return tuple(node for nodes in found for node in nodes)

    async def expected(self) -> tuple[Node, ...]:
        """Return the nodes that exist or, so the record says, should; the latter `terminated`."""
        recorded = self._recorded()
        nodes = await self.nodes()
        return tuple(
            node
            for group in self.groups
            for node in plan.expected(
                group, recorded.get(group.tag), [node for node in nodes if node.tag == group.tag]
            )
        )

    async def known(self) -> tuple[Node, ...]:
        """Return what `expected` does; raise `NoSuchCluster` if nothing tells of this cluster."""
        nodes = await self.expected()
        if not nodes and self.folder.record() is None:
            raise NoSuchCluster(
                f"no cluster '{self.folder.name}'",
                fix="'tinycloud list' shows those that are known here",
            )
        return nodes

    async def allowed(self, networks: Collection[str]) -> tuple[str, ...]:
        """Have each driver let us connect, and these networks; return all who may."""
        specs = self.specs()
        found: dict[str, None] = {}
        for group in {id(group.driver): group for group in self.groups}.values():
            async with asking(f"can't change who may connect to group '{group.tag}'"):
                found |= dict.fromkeys(await group.driver.allow(specs[group.tag], networks))
        return tuple(found)

    async def extended(self, nodes: Collection[Node], until: datetime | None) -> dict[str, str]:
        """Note that these nodes live until then; return the script that tells them, by group."""
        specs = self.specs()
        scripts = {}
        for group in self.groups:
            concerned = [node for node in nodes if node.tag == group.tag]
            if concerned:
                async with asking(f"can't set the time to live of group '{group.tag}'"):
                    extend = group.driver.extend(specs[group.tag], concerned, until)
                    scripts[group.tag] = await extend
        return scripts


async def listed(group: Group, spec: GroupSpec, deadline: float | None = None) -> tuple[Node, ...]:
    """Return what the group's driver lists."""
    async with asking(f"can't list group '{group.tag}'", deadline):
        return await group.driver.list(spec)
