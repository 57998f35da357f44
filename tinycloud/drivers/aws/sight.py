"""What is seen of one cluster: one look serves all who ask, and none comes sooner than is decent.

EC2 may not show for some seconds what a call of ours has just done. So what such a call
answered is held to be so until EC2 shows something newer, or long enough has passed.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .asking import Ask, every, filters
from .instances import Instance, parsed
from .refusal import shortened
from .tags import CLUSTER

INTERVAL = 1.0
"""Seconds from one look at EC2 to the next."""

HELD = 60.0
"""Seconds for which what a call of ours answered goes before what EC2 shows."""

PAGE = 100
"""Instances in one piece of an answer."""

VANISHED = 10.0
"""Seconds for which an instance is held to exist that EC2 showed, and then did not: what ends
is shown as terminated for an hour."""

ABSENT = "absent"
_log = logging.getLogger(__name__)

# What EC2 may still show after a call of ours has brought an instance into this state.
_OLDER = {
    "pending": frozenset({"stopped", "stopping"}),
    "running": frozenset({"stopped", "stopping", "pending"}),
    "stopping": frozenset({"pending", "running"}),
    "stopped": frozenset({"pending", "running"}),
    "shutting-down": frozenset({"pending", "running", "stopping", "stopped"}),
    "terminated": frozenset({"pending", "running", "stopping", "stopped"}),
}


@dataclass(frozen=True, slots=True)
class _Held:
    """An instance as one of our calls left it, and the states that are older than that."""

    instance: Instance
    older: frozenset[str]
    until: float


class Sight:
    """The instances that carry the name of one cluster, whoever's they are."""

    def __init__(self, ask: Ask, cluster: str) -> None:
        self._ask = ask
        self._cluster = cluster
        self._turn = asyncio.Lock()
        self._began = float("-inf")
        self._seen: dict[str, Instance] = {}
        self._held: dict[str, _Held] = {}

    async def look(self, *, since: float | None = None) -> tuple[Instance, ...]:
        """Return all that is seen, also what has ended; no older than `INTERVAL`, or than `since`.

        That is a moment of `time.monotonic`.
        """
        wanted = time.monotonic() - INTERVAL if since is None else since
        async with self._turn:
            if self._began < wanted:
                await asyncio.sleep(max(0.0, self._began + INTERVAL - time.monotonic()))
                began = time.monotonic()
                self._take(await self._described())
                self._began = began
        return self._merged()

    async def _described(self) -> dict[str, Instance]:
        found: dict[str, Instance] = {}
        wanted = filters(**{f"tag__{CLUSTER}": self._cluster})
        for reservation in await every(
            self._ask, "describe_instances", "Reservations", Filters=wanted, MaxResults=PAGE
        ):
            for described in reservation["Instances"]:
                if (one := parsed(described)) is not None:
                    found[one.id] = one
        return found

    def _take(self, seen: dict[str, Instance]) -> None:
        for one in self._merged():
            if one.lives and one.id in seen and not seen[one.id].lives:
                why = shortened(seen[one.id].reason) or "nobody says why"
                _log.warning("%s (%s) has ended: %s", one.node.name, one.id, why)
        until = time.monotonic() + VANISHED
        for id_, one in self._seen.items():
            if one.lives and id_ not in seen and id_ not in self._held:
                self._held[id_] = _Held(one, frozenset({ABSENT}), until)
        self._seen = seen

    def _merged(self) -> tuple[Instance, ...]:
        now = time.monotonic()
        self._held = {id_: held for id_, held in self._held.items() if now < held.until}
        found = dict(self._seen)
        for id_, held in self._held.items():
            shown = found.get(id_)
            if shown is None:
                if ABSENT in held.older:
                    found[id_] = held.instance
            elif shown.state in held.older:
                found[id_] = replace(shown, state=held.instance.state)
        return tuple(found.values())

    def launched(self, described: Iterable[Mapping[str, Any]]) -> tuple[Instance, ...]:
        """Hold these instances to exist, which a call of ours has just made."""
        until = time.monotonic() + HELD
        made = tuple(one for one in map(parsed, described) if one is not None)
        for one in made:
            self._held[one.id] = _Held(one, frozenset({ABSENT}), until)
        return made

    def moved(self, changes: Iterable[Mapping[str, Any]]) -> None:
        """Hold these instances to be on their way, as EC2 answered to a call that moves them."""
        seen = {one.id: one for one in self._merged()}
        until = time.monotonic() + HELD
        for change in changes:
            if (one := seen.get(change["InstanceId"])) is None:
                continue
            after = change["CurrentState"]["Name"]
            held = self._held.get(one.id)
            absent = frozenset({ABSENT}) & (held.older if held is not None else frozenset())
            older = _OLDER.get(after, frozenset()) | absent
            self._held[one.id] = _Held(replace(one, state=after), older, until)
