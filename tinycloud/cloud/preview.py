"""What drivers have to say of a launch before it: asked of each once, and nothing is touched."""

from collections.abc import Mapping

from ..driver import Group
from . import plan
from .foreign import asking


async def previewed(
    cluster: str, groups: tuple[Group, ...], sizes: Mapping[str, int]
) -> dict[str, str]:
    """Return what the drivers say of making so many nodes of each group."""
    remarks: dict[str, str] = {}
    for driver in {id(group.driver): group.driver for group in groups}.values():
        specs = [plan.spec(cluster, g, sizes[g.tag]) for g in groups if g.driver is driver]
        async with asking("can't look into the launch"), driver:
            remarks |= await driver.preview(specs)
    return remarks
