"""Machines take their time to get from one state to the next."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..wire import Answer, Ask, Refused, Request, instances, say, text

CODES = {
    "pending": "0",
    "running": "16",
    "shutting-down": "32",
    "terminated": "48",
    "stopping": "64",
    "stopped": "80",
}
MOVES = MappingProxyType(
    {
        "RunInstances": "pending",
        "StartInstances": "pending",
        "StopInstances": "stopping",
        "TerminateInstances": "shutting-down",
    }
)
REFUSED = {
    "StartInstances": {"stopping", "shutting-down", "terminated"},
    "StopInstances": {"shutting-down", "terminated"},
}
THERE = {
    "StartInstances": {"running", "pending"},
    "StopInstances": {"stopped"},
    "TerminateInstances": {"terminated"},
}


@dataclass
class States:
    """Shows instances as being on their way for some seconds after each call that moves them."""

    seconds: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(CODES, 0.2))
    _moving: dict[str, tuple[str, float]] = field(default_factory=dict)

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action in REFUSED:
            await self._check(request, ask)
        answer = await ask(request)
        if answer.code:
            return answer
        if request.action == "RunInstances":
            self._move("pending", (text(one, "instanceId") for one in instances(answer.tree)))
        elif request.action in MOVES:
            self._move(MOVES[request.action], _moved(request.action, answer))
        if request.action in ("DescribeInstances", "RunInstances"):
            return self._shown(answer)
        return answer

    def _move(self, word: str, ids: Iterable[str]) -> None:
        until = time.monotonic() + self.seconds[word]
        for one in ids:
            if self._now(one) != word:
                self._moving[one] = (word, until)

    def _now(self, id_: str) -> str:
        word, until = self._moving.get(id_, ("", 0.0))
        return word if time.monotonic() < until else ""

    def _shown(self, answer: Answer) -> Answer:
        tree = answer.tree
        for one in instances(tree):
            if word := self._now(text(one, "instanceId")):
                state = one.find("instanceState")
                assert state is not None
                say(state, "name", word)
                say(state, "code", CODES[word])
        return Answer.of(tree)

    async def _check(self, request: Request, ask: Ask) -> None:
        wanted = request.asking("DescribeInstances")
        filters = {"instance-id": request.list("InstanceId")}
        answer = self._shown(await ask(wanted.filtered(filters)))
        for one in instances(answer.tree):
            word, id_ = text(one, "instanceState/name"), text(one, "instanceId")
            if word in REFUSED[request.action]:
                message = f"The instance '{id_}' is not in a state from which it can be changed."
                raise Refused("IncorrectInstanceState", message)


def _moved(action: str, answer: Answer) -> list[str]:
    return [
        text(one, "instanceId")
        for one in answer.tree.iter("item")
        if text(one, "previousState/name") not in THERE[action]
    ]
