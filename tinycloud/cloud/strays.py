"""Clusters that nobody here remembers: found where machines come from, and removed on wish."""

import asyncio
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from ..driver import Driver, Stray
from ..errors import TinycloudError
from ..fanout import fan_out
from ..store import ClusterFolder, known_clusters
from .foreign import asking

REGIONS_AT_ONCE = 4
REAP_TIMEOUT = 900.0
"""Seconds that a driver has to remove what there is of one cluster."""


def known_generations() -> frozenset[str]:
    """Return the ids of all clusters with a record here.

    Raises `InvalidInput` if a record can't be read: its cluster must not be taken for a stray.
    """
    records = (ClusterFolder(name).record() for name in known_clusters())
    return frozenset(record.generation for record in records if record)


def forgotten(
    strays: Iterable[Stray], known: Collection[str], older_than: float | None = None
) -> tuple[Stray, ...]:
    """Return those of which no record here knows, and that are older than so many seconds."""
    return tuple(s for s in strays if s.generation not in known and _is_old(s, older_than))


def _is_old(stray: Stray, seconds: float | None) -> bool:
    if seconds is None:
        return True
    if stray.created_at is None:  # it may be just coming up
        return False
    return datetime.now(UTC) - stray.created_at > timedelta(seconds=seconds)


async def look(drivers: Iterable[Driver]) -> tuple[tuple[Stray, ...], ...]:
    """Return what each of these drivers finds."""

    async def one(driver: Driver) -> tuple[Stray, ...]:
        async with asking("can't look for clusters"), driver:
            return await driver.strays()

    return await fan_out(one, drivers, limit=REGIONS_AT_ONCE)


async def remove(pairs: Iterable[tuple[Driver, Stray]]) -> tuple[TinycloudError | None, ...]:
    """Remove what was found; return for each the error if something of it remains."""

    async def one(pair: tuple[Driver, Stray]) -> TinycloudError | None:
        driver, stray = pair
        try:
            async with asking(f"can't remove cluster '{stray.cluster}'"), driver:
                async with asyncio.timeout(REAP_TIMEOUT):
                    await driver.reap(stray)
        except TinycloudError as error:
            return error
        return None

    return await fan_out(one, pairs, limit=REGIONS_AT_ONCE)
