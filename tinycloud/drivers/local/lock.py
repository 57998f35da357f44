"""A group's lock, waited for."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from ...errors import ClusterBusy
from ...store.lock import Locked, locked

WAIT = 60.0
LOOK_AGAIN = 0.02


@asynccontextmanager
async def lock_of(path: Path) -> AsyncIterator[bool]:
    """Hold a group's lock for the block; False if its folder, and so the group, is no more."""
    deadline = time.monotonic() + WAIT
    with ExitStack() as held:
        while (taken := _try(path, held, deadline)) is None:  # noqa: ASYNC110 - no event tells us
            await asyncio.sleep(LOOK_AGAIN)
        yield taken


@contextmanager
def lock_from_below(path: Path, give_up: Callable[[], bool]) -> Iterator[bool]:
    """Do the same outside of an event loop; False also if `give_up` ends the wait."""
    deadline = time.monotonic() + WAIT
    with ExitStack() as held:
        while (taken := _try(path, held, deadline)) is None and not give_up():
            time.sleep(LOOK_AGAIN)
        yield bool(taken)


def _try(path: Path, held: ExitStack, deadline: float) -> bool | None:
    """Return whether the lock is held now; None if it is worth another try."""
    try:
        held.enter_context(locked(path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Locked as error:
        if time.monotonic() < deadline:
            return None
        raise ClusterBusy(
            f"group '{path.parent.name}' is busy",
            cause=f"process {error.pid or 'unknown'} is at work on it",
            fix="wait until that is done, or end it, and try again",
        ) from error
    return True
