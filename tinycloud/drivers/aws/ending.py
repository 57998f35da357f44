"""Terminate instances, and wait until they are; those that can't be are named."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from ...errors import ProviderError
from .call import SETTLING, Caller
from .instances import Instance
from .power import pieces
from .refusal import Refusal, named_ids
from .sight import INTERVAL, Sight

TERMINATION = 600.0
"""Seconds that instances may take to end: some of the large ones take that long."""


@dataclass(slots=True, kw_only=True)
class Ending:
    """The end of some instances; `kept` says why, of each that would not end."""

    call: Caller
    sight: Sight
    kept: dict[str, ProviderError] = field(default_factory=dict)

    async def end(self, instances: Collection[Instance]) -> None:
        """Terminate these, and wait until they are."""
        for ids in pieces(one.id for one in instances):
            await self._terminate(ids)
        await self._await({one.id for one in instances} - set(self.kept))

    async def _terminate(self, ids: Collection[str]) -> None:
        """Terminate what can be: one id that can't be must not spoil it for the others."""
        end = time.monotonic() + SETTLING
        left = sorted(ids)
        while left:
            try:
                answer = await self.call("terminate_instances", InstanceIds=left)
                self.sight.moved(answer["TerminatingInstances"])
                return
            except ProviderError as error:
                spoiling = _spoiling(error, left)
                if not spoiling and len(left) > 1 and isinstance(error, Refusal):
                    await self._halves(left, error)
                    return
                left = await self._without(left, spoiling or frozenset(left), error, end)

    async def _halves(self, ids: list[str], error: Refusal) -> None:
        """Find out which of these can't be terminated, where EC2 does not name it."""
        if error.code in _FOR_ALL:
            self.kept.update(dict.fromkeys(ids, error))
            return
        middle = len(ids) // 2
        await self._terminate(ids[:middle])
        await self._terminate(ids[middle:])

    async def _without(
        self, ids: list[str], spoiling: frozenset[str], error: ProviderError, end: float
    ) -> list[str]:
        """Return which of these are still to be terminated, now that some can't be."""
        others = [one for one in ids if one not in spoiling]
        if not isinstance(error, Refusal) or error.code != "InvalidInstanceID.NotFound":
            self.kept.update(dict.fromkeys(spoiling, error))
            return others
        if others:
            await self._terminate(others)
        seen = await self.sight.look(since=time.monotonic())
        there = sorted(one.id for one in seen if one.id in spoiling and one.lives)
        if time.monotonic() > end:
            self.kept.update(dict.fromkeys(there, error))
            return []
        return there

    async def _await(self, ids: Collection[str]) -> None:
        end = time.monotonic() + TERMINATION
        while True:
            seen = await self.sight.look()
            left = [one for one in seen if one.id in ids and one.state != "terminated"]
            if not left:
                return
            if time.monotonic() > end:
                for one in left:
                    self.kept[one.id] = ProviderError(
                        f"{one.id} is still {one.state}", fix="wait, and destroy again"
                    )
                return
            await asyncio.sleep(INTERVAL)


def _spoiling(error: ProviderError, ids: Collection[str]) -> frozenset[str]:
    """Return which of these instances an error names."""
    return named_ids(error.message) & set(ids) if isinstance(error, Refusal) else frozenset()


_FOR_ALL = (
    "AuthFailure",
    "Blocked",
    "ExpiredToken",
    "OptInRequired",
    "RequestExpired",
    "UnauthorizedOperation",
)
"""Codes by which all is refused, whichever instances are named."""
