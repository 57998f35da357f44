"""A security group that a living instance is in can't be deleted."""

from ..wire import Answer, Ask, Refused, Request, instances

LIVING = ("pending", "running", "shutting-down", "stopping", "stopped")


async def groups_in_use(request: Request, ask: Ask) -> Answer:
    """Refuse to delete a group that is in use."""
    if request.action != "DeleteSecurityGroup":
        return await ask(request)
    group = request.get("GroupId")
    wanted = request.asking("DescribeInstances").filtered({"instance.group-id": (group,)})
    for one in instances((await ask(wanted)).tree):
        if one.findtext("instanceState/name") in LIVING:
            raise Refused("DependencyViolation", f"resource {group} has a dependent object")
    return await ask(request)
