"""Zones that have too few machines of a type, or none."""

from dataclasses import dataclass, field

from ..rules.zones import zone_of
from ..wire import Answer, Ask, Refused, Request


@dataclass
class Capacity:
    """Has so many machines left of a type in a zone; `("", "t3.medium")` is in any zone.

    A launch that asks for more gets what is left, unless it asks for that at least. What
    is not mentioned there is plenty of. It has its place behind the tokens.
    """

    left: dict[tuple[str, str], int] = field(default_factory=dict)
    code: str = "InsufficientInstanceCapacity"
    status: int = 500

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action != "RunInstances" or request.get("DryRun") == "true":
            return await ask(request)
        kind = request.get("InstanceType")
        zone = await zone_of(request, ask)
        key = next((key for key in ((zone, kind), ("", kind)) if key in self.left), None)
        if key is None:
            return await ask(request)
        if (left := self.left[key]) < int(request.get("MinCount")):
            raise Refused(
                self.code,
                f"We currently do not have sufficient {kind} capacity in the Availability Zone"
                f" you requested ({zone}).",
                self.status,
            )
        granted = min(left, int(request.get("MaxCount")))
        self.left[key] -= granted
        return await ask(request.but(MinCount="1", MaxCount=str(granted)))
