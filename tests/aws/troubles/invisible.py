"""Instances that can't be seen yet, or only now and then; and addresses that come late."""

import time
from dataclasses import dataclass, field
from itertools import count

from ..rules.view import keep
from ..wire import Answer, Ask, Refused, Request, instances, say, text

NAMING = ("CreateTags", "ModifyInstanceAttribute", "StopInstances", "TerminateInstances")


@dataclass
class Invisible:
    """Hides each new instance for some seconds; after that from every `flapping`th look."""

    seconds: float = 0.5
    flapping: int = 0
    _born: dict[str, float] = field(default_factory=dict)
    _looks: "count[int]" = field(default_factory=lambda: count(1))

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action == "RunInstances":
            answer = await ask(request)
            if not answer.code:
                ids = [text(one, "instanceId") for one in instances(answer.tree)]
                self._born.update(dict.fromkeys(ids, time.monotonic()))
            return answer
        if request.action in (*NAMING, "DescribeInstances"):
            self._check(request)
        if request.action != "DescribeInstances":
            return await ask(request)
        return self._seen(await ask(request))

    def _hidden(self, id_: str) -> bool:
        return time.monotonic() < self._born.get(id_, 0.0) + self.seconds

    def _check(self, request: Request) -> None:
        named = (*request.list("InstanceId"), *request.list("ResourceId"))
        if hidden := [one for one in (*named, request.get("InstanceId")) if self._hidden(one)]:
            message = f"The instance ID '{', '.join(hidden)}' does not exist"
            raise Refused("InvalidInstanceID.NotFound", message)

    def _seen(self, answer: Answer) -> Answer:
        if answer.code:
            return answer
        tree = answer.tree
        blind = bool(self.flapping) and next(self._looks) % self.flapping == 0
        keep(tree, lambda one: not self._is_out_of_sight(text(one, "instanceId"), blind))
        return Answer.of(tree)

    def _is_out_of_sight(self, id_: str, blind: bool) -> bool:
        return self._hidden(id_) or (blind and id_ in self._born)


@dataclass
class LateAddresses:
    """Gives an instance no address until some seconds after it was first shown."""

    seconds: float = 1.0
    _first: dict[str, float] = field(default_factory=dict)

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        answer = await ask(request)
        if request.action != "DescribeInstances" or answer.code:
            return answer
        tree, now = answer.tree, time.monotonic()
        for one in instances(tree):
            if now < self._first.setdefault(text(one, "instanceId"), now) + self.seconds:
                for name in ("ipAddress", "privateIpAddress", "dnsName"):
                    say(one, name, None)
        return Answer.of(tree)
