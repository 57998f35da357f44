"""Stop instances, and start them again."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable

from ...errors import ProviderError
from .batches import LARGEST
from .call import MOVING, Caller
from .instances import Instance
from .sight import INTERVAL, Sight

PATIENCE = 300.0
"""Seconds that instances may take from one state to another (AWS: minutes, at the worst)."""


async def start(call: Caller, sight: Sight, stopped: Collection[Instance]) -> None:
    """Start these again; those that are still on their way to a stop get there first."""
    if any(one.state == "stopping" for one in stopped):
        await await_all(sight, stopped, lambda one: one.state != "stopping", "to stop")
    for ids in pieces(one.id for one in stopped):
        answer = await call("start_instances", settling=MOVING, InstanceIds=ids)
        sight.moved(answer["StartingInstances"])


async def stop(call: Caller, sight: Sight, running: Collection[Instance]) -> None:
    """Stop these, and wait until they have."""
    going = [one for one in running if one.state in ("pending", "running")]
    for ids in pieces(one.id for one in going):
        answer = await call("stop_instances", settling=MOVING, InstanceIds=ids)
        sight.moved(answer["StoppingInstances"])
    await await_all(sight, running, lambda one: one.state == "stopped" or not one.lives, "to stop")


async def await_all(
    sight: Sight,
    instances: Collection[Instance],
    is_done: Callable[[Instance], bool],
    what: str,
    patience: float = PATIENCE,
) -> None:
    """Wait until all of these are done, or gone; raise `ProviderError` for those that are not."""
    ids = {one.id for one in instances}
    end = time.monotonic() + patience
    while True:
        left = [o for o in await sight.look() if o.id in ids and not is_done(o)]
        if not left:
            return
        if time.monotonic() > end:
            raise ProviderError(
                f"{len(left)} instances take too long {what}",
                cause=", ".join(f"{one.id} is {one.state}" for one in left[:10]),
                fix="look at them in the console of EC2, and do the same again",
            )
        await asyncio.sleep(INTERVAL)


def pieces(ids: Iterable[str], size: int = LARGEST) -> Iterable[list[str]]:
    """Yield the ids in lists that one call takes."""
    every = sorted(ids)
    return (every[first : first + size] for first in range(0, len(every), size))
