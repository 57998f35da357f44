"""The end of a group, or of some of its nodes; with the last of a cluster all that it had."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import ProviderError, ResourcesRemain
from . import network
from .client import Account
from .ending import Ending
from .ground import group_of
from .instances import Instance
from .refusal import Kind, Refusal
from .sight import INTERVAL

FREEING = 120.0
"""Seconds that a security group may be in use after the last instance in it has ended."""


@dataclass(slots=True, kw_only=True)
class Removal:
    """Removes what the cluster with this id has of group `tag`; `kept` fills with what stays."""

    account: Account
    cluster: str
    generation: str
    tag: str
    kept: dict[str, ProviderError] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    async def run(self, indices: Collection[int] | None) -> None:
        """Remove the nodes with these indices, or all; raise `ResourcesRemain` for what stays."""
        if indices is None:
            self.account.doomed.add((self.generation, self.tag))
        await self._end(indices)
        if self.kept:  # it is in the security group, which so must stay
            raise self._remains()
        while left := await self._others():
            if self._stays(left):
                break
            await self._end_doomed(left)
            await asyncio.sleep(INTERVAL)  # they end at this moment, and free the group
        else:
            await self._remove_groups(indices)
        if self.kept:
            raise self._remains()

    def _remains(self) -> ResourcesRemain:
        what = f"not all of group '{self.tag}' of '{self.cluster}' could be destroyed"
        return remains(what, self.kept, self.names, self.account.region)

    async def _ours(self, *, since: float | None = None) -> list[Instance]:
        seen = await self.account.sight(self.cluster).look(since=since)
        return [o for o in seen if o.generation == self.generation and o.state != "terminated"]

    async def _others(self) -> list[Instance]:
        """Return what is left of the cluster, but for what would not go."""
        ours = await self._ours()
        return [one for one in ours if one.id not in self.kept]

    async def _end(self, indices: Collection[int] | None, *, since: float | None = None) -> None:
        doomed = [
            one
            for one in await self._ours(since=since)
            if one.tag == self.tag
            and one.id not in self.kept
            and (indices is None or one.index in indices)
        ]
        self.names |= {one.id: one.node.name for one in doomed}
        ending = Ending(call=self.account.ask, sight=self.account.sight(self.cluster))
        await ending.end(doomed)
        self.kept |= ending.kept

    def _stays(self, left: Collection[Instance]) -> bool:
        """Return whether some of these are of a group that nobody has asked to destroy."""
        return any(o.lives and (o.generation, o.tag) not in self.account.doomed for o in left)

    async def _end_doomed(self, left: Collection[Instance]) -> None:
        """End those that turned up when whoever was to end them had seen none, and was done."""
        late = [one for one in left if one.lives]
        self.names |= {one.id: one.node.name for one in late}
        ending = Ending(call=self.account.ask, sight=self.account.sight(self.cluster))
        await ending.end(late)
        self.kept |= ending.kept

    async def _remove_groups(self, indices: Collection[int] | None) -> None:
        self.account.forget(group_of(self.cluster, self.generation))
        for group in await network.groups(self.account.ask, self.cluster, self.generation):
            try:
                await self._remove_group(group["GroupId"], indices)
            except ProviderError as error:
                self.kept[group["GroupId"]] = error

    async def _remove_group(self, group_id: str, indices: Collection[int] | None) -> None:
        """Delete a security group once nothing is in it: instances may turn up only now.

        A launch that was killed may have been answered by EC2 after that, and not shown yet.
        """
        end = time.monotonic() + FREEING
        while True:
            try:
                await self.account.ask("delete_security_group", GroupId=group_id)
                return
            except Refusal as error:
                if error.code == "InvalidGroup.NotFound":
                    return
                if error.kind is not Kind.LATER or time.monotonic() > end:
                    raise
            await asyncio.sleep(INTERVAL)
            await self._end(indices, since=time.monotonic())
            left = await self._others()
            if not self._stays(left):
                await self._end_doomed(left)
            if self.kept or self._stays(left):
                return  # of another group of this cluster, whose end this is left to


def remains(
    what: str, kept: Mapping[str, ProviderError], names: Mapping[str, str], region: str
) -> ResourcesRemain:
    """Return the error that names what is left, why, and the commands that remove it."""
    said = "; ".join(
        f"{names[id_]} ({id_}): {error}" if id_ in names else f"{id_}: {error}"
        for id_, error in kept.items()
    )
    return ResourcesRemain(
        what,
        cause=f"{said}; by hand: {'; '.join(commands(kept, region))}",
        fix="mend that, and destroy again",
        remaining=tuple(names.get(id_, id_) for id_ in kept),
    )


def commands(kept: Iterable[str], region: str) -> Iterable[str]:
    """Yield the commands of AWS's own tool that remove these."""
    every = sorted(kept)
    if instances := [one for one in every if one.startswith("i-")]:
        yield f"aws ec2 terminate-instances --region {region} --instance-ids {' '.join(instances)}"
    for group in (one for one in every if one.startswith("sg-")):
        yield f"aws ec2 delete-security-group --region {region} --group-id {group}"
    for volume in (one for one in every if one.startswith("vol-")):
        yield f"aws ec2 delete-volume --region {region} --volume-id {volume}"
