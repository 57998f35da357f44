"""End instances and remove what was made for them; what can't be removed is named."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import ProviderError, ResourcesRemain
from .call import SETTLING, Caller
from .instances import Instance
from .power import pieces
from .refusal import Kind, Refusal, named_ids
from .sight import INTERVAL, Sight

TERMINATION = 600.0
"""Seconds that instances may take to end: some of the large ones take that long."""

FREEING = 120.0
"""Seconds that a security group may be in use after the last instance in it has ended."""

LOOK_AGAIN = 2.0


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
        """Terminate what can be; one id that can't must not spoil it for the others."""
        begun = time.monotonic()
        left = list(ids)
        while left:
            try:
                answer = await self.call("terminate_instances", InstanceIds=left)
                self.sight.moved(answer["TerminatingInstances"])
                return
            except Refusal as error:
                named = named_ids(error.message) & set(left)
                if not named or error.kind is Kind.RETRY:
                    if len(left) == 1 or error.kind is Kind.RETRY or not _is_about_one(error):
                        self.kept.update(dict.fromkeys(left, error))
                        return
                    middle = len(left) // 2
                    await self._terminate(left[:middle])
                    await self._terminate(left[middle:])
                    return
                if error.code == "InvalidInstanceID.NotFound":
                    hidden = {one for one in named if self.sight.is_young(one)}
                    if hidden and time.monotonic() - begun < SETTLING:
                        await self._terminate([one for one in left if one not in named])
                        left = sorted(hidden)
                        await asyncio.sleep(INTERVAL)
                        continue
                else:
                    self.kept.update(dict.fromkeys(named, error))
                left = [one for one in left if one not in named]

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


def _is_about_one(error: Refusal) -> bool:
    """Return whether an error is about some of the instances only."""
    return error.code.startswith(("InvalidInstance", "OperationNotPermitted", "Unsupported"))


async def remove_group(call: Caller, group_id: str) -> None:
    """Delete a security group, once nothing is in it any more."""
    end = time.monotonic() + FREEING
    while True:
        try:
            await call("delete_security_group", GroupId=group_id)
            return
        except Refusal as error:
            if error.code == "InvalidGroup.NotFound":
                return
            if error.kind is not Kind.LATER or time.monotonic() > end:
                raise
        await asyncio.sleep(LOOK_AGAIN)


def remains(
    what: str, kept: Mapping[str, ProviderError], names: Mapping[str, str], commands: Iterable[str]
) -> ResourcesRemain:
    """Return the error that names what is left, and the commands that remove it."""
    said = "; ".join(f"{names.get(id_, id_)} ({id_}): {error}" for id_, error in kept.items())
    return ResourcesRemain(
        what,
        cause=f"{said}. To remove them: {'; '.join(commands)}",
        fix="run those commands, then destroy again",
        remaining=tuple(names.get(id_, id_) for id_ in kept),
    )
