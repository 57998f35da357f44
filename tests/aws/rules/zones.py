"""Which zone a launch asks for."""

from ..wire import Ask, Request, text


async def zone_of(request: Request, ask: Ask) -> str:
    """Return the zone of a RunInstances; empty if it leaves that to EC2."""
    subnet = request.get("SubnetId") or request.get("NetworkInterface.1.SubnetId")
    if not subnet:
        return request.get("Placement.AvailabilityZone")
    answer = await ask(request.asking("DescribeSubnets", **{"SubnetId.1": subnet}))
    return text(answer.tree, "subnetSet/item/availabilityZone")
