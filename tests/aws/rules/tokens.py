"""Client tokens: the same token and the same words are the same launch."""

import asyncio
from dataclasses import dataclass, field

from ..wire import Answer, Ask, Refused, Request, instances, text
from .zones import zone_of

LONGEST = 64


@dataclass(slots=True)
class _Launch:
    words: dict[str, str]
    ids: tuple[str, ...] = ()


@dataclass
class Tokens:
    """Gives tokens their meaning, within a zone, and makes `client-token` a filter."""

    launches: dict[tuple[str, str, str], _Launch] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        token = request.get("ClientToken")
        if request.action == "DescribeInstances" and "client-token" in request.filters():
            return await self._find(request, ask)
        if request.action != "RunInstances" or not token or request.get("DryRun") == "true":
            return await ask(request)
        if len(token) > LONGEST or not token.isascii():
            raise Refused("InvalidParameterValue", "Client token must be 64 ASCII characters")
        async with self._one_at_a_time:
            return await self._launch(token, request, ask)

    async def _launch(self, token: str, request: Request, ask: Ask) -> Answer:
        key = (request.region, await zone_of(request, ask), token)
        words = {k: v for k, v in request.parameters.items() if k != "ClientToken"}
        if (before := self.launches.get(key)) is not None:
            if before.words != words:
                raise Refused(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments"
                    " used in previous request(s).",
                )
            return await _again(before.ids, request, ask)
        answer = await ask(request)
        if not answer.code:
            ids = tuple(text(found, "instanceId") for found in instances(answer.tree))
            self.launches[key] = _Launch(words, ids)
        return answer

    async def _find(self, request: Request, ask: Ask) -> Answer:
        filters = request.filters()
        wanted = set(filters.pop("client-token"))
        ids = [
            one
            for (region, _, token), launch in self.launches.items()
            if token in wanted and region == request.region
            for one in launch.ids
        ]
        filters["instance-id"] = tuple(ids) or ("i-none",)
        return await ask(request.filtered(filters))


async def _again(ids: tuple[str, ...], request: Request, ask: Ask) -> Answer:
    wanted = request.asking("DescribeInstances").filtered({"instance-id": ids})
    tree = (await ask(wanted)).tree
    states = {text(found, "instanceState/name") for found in instances(tree)}
    if states <= {"terminated", "shutting-down"}:
        raise Refused(
            "IdempotentInstanceTerminated",
            "The client token you have provided is associated with an instance that has"
            " been terminated. Please use a different client token.",
        )
    reservation = tree.find("reservationSet/item")
    assert reservation is not None
    reservation.tag = "RunInstancesResponse"
    return Answer.of(reservation)
