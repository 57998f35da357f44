"""Too many calls."""

from dataclasses import dataclass

from ..wire import Answer, Ask, Refused, Request


@dataclass
class Throttled:
    """Refuses the next `times` calls of an action (any, if it is empty), with this code."""

    action: str = ""
    times: int = 1
    code: str = "RequestLimitExceeded"
    status: int = 503

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if self.times and self.action in ("", request.action):
            self.times -= 1
            raise Refused(self.code, "Request limit exceeded.", self.status)
        return await ask(request)
