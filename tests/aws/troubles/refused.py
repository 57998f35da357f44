"""Calls that are refused for good."""

from dataclasses import dataclass

from ..wire import Answer, Ask, Refused, Request


@dataclass
class Forbidden:
    """Refuses an action for want of permission, a dry run of it too."""

    action: str
    code: str = "UnauthorizedOperation"
    message: str = "You are not authorized to perform this operation."
    status: int = 403

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action == self.action:
            raise Refused(self.code, self.message, self.status)
        return await ask(request)


@dataclass
class Expired:
    """Refuses everything from the `after`th call on: the credentials have expired."""

    after: int = 0

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        self.after -= 1
        if self.after < 0:
            raise Refused("RequestExpired", "The security token included has expired")
        return await ask(request)


@dataclass
class Protected:
    """Protects instances from termination: in the zone of one of them nothing is terminated."""

    zone: str

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action != "TerminateInstances":
            return await ask(request)
        ids = request.list("InstanceId")
        wanted = request.asking("DescribeInstances").filtered({"instance-id": ids})
        tree = (await ask(wanted)).tree
        zones = {
            one.findtext("instanceId"): one.findtext("placement/availabilityZone")
            for one in tree.iter("item")
            if one.find("instanceId") is not None
        }
        free = [one for one in ids if zones.get(one) != self.zone]
        if len(free) == len(ids):
            return await ask(request)
        if free:
            named = {f"InstanceId.{n}": one for n, one in enumerate(free, 1)}
            await ask(request.asking("TerminateInstances", **named))
        kept = next(one for one in ids if one not in free)
        message = (
            f"The instance '{kept}' may not be terminated."
            " Modify its 'disableApiTermination' instance attribute and try again."
        )
        raise Refused("OperationNotPermitted", message)
