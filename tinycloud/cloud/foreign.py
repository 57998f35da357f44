"""Exceptions of drivers, in our own words: other people's drivers raise what they like."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import ProviderError, TinycloudError


def as_error(error: Exception, what: str) -> TinycloudError:
    """Return a driver's exception as one of ours; `what` says what could not be done."""
    if isinstance(error, TinycloudError):
        return error
    words = f": {error}" if str(error) else ""
    return ProviderError(
        what, cause=f"{type(error).__name__}{words}", fix="look at the driver's own words"
    )


@asynccontextmanager
async def asking(what: str, deadline: float | None = None) -> AsyncIterator[None]:
    """Raise what a driver raises in the block as one of ours; `what` says what failed.

    At `deadline` (of `time.monotonic`) the block is ended, with a `ProviderError`.
    """
    limit = asyncio.timeout(None if deadline is None else deadline - time.monotonic())
    try:
        async with limit:
            yield
    except Exception as error:
        if limit.expired():
            raise ProviderError(
                what,
                cause="no answer before the time was over",
                fix="look at the provider, or give it more time",
            ) from error
        raise as_error(error, what) from error
