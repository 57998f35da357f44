"""Do one thing for many items at once: the only place where concurrency is written."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

from .errors import InvalidInput

T = TypeVar("T")
R = TypeVar("R")


async def fan_out(
    work: Callable[[T], Awaitable[R]], items: Iterable[T], *, limit: int | None = None
) -> tuple[R, ...]:
    """Await `work(item)` for all items, at most `limit` at a time; return in their order.

    Expected failures are values, which `work` returns. An exception is a bug: it
    stops the others, and is raised once all have ended. So does a cancellation; a bug
    goes before it.
    """
    if limit is not None and limit < 1:
        raise InvalidInput(f"can't be at work on {limit} nodes at a time", fix="allow 1 or more")
    window: AbstractAsyncContextManager[Any] = asyncio.Semaphore(limit) if limit else nullcontext()

    async def one(item: T) -> R:
        async with window:
            return await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in tuple(items)]

    def stop_all(task: "asyncio.Task[R]") -> None:
        if task.cancelled() or task.exception():
            for other in tasks:
                other.cancel()

    for task in tasks:
        task.add_done_callback(stop_all)
    try:
        # With `return_exceptions` gather waits for every child, also when it is cancelled.
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            if task.done() and not task.cancelled() and (bug := task.exception()):
                raise bug
    return tuple(task.result() for task in tasks)


async def to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Await `work` and let no cancellation stop it: one that comes is raised afterwards.

    An exception of `work` itself goes before.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:
            break
    if cancelled and not task.cancelled() and task.exception() is None:
        raise cancelled
    return task.result()


AGAIN = 2.0
"""Seconds that cancelled work gets to tidy up before it is cancelled once more."""


async def insistently(work: Awaitable[R]) -> R:
    """Await `work`; once cancelled, cancel it again and again until it has ended.

    For work that tidies up by asking somebody who may never answer. An exception of
    `work` itself goes before the cancellation.
    """
    task = asyncio.ensure_future(work)

    async def end() -> None:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=AGAIN)

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await to_the_end(end())
        if not task.cancelled() and (bug := task.exception()):
            raise bug from None
        raise


async def alongside(main: Coroutine[Any, Any, R], other: Coroutine[Any, Any, object]) -> R:
    """Await `main` and return what it returns; `other` goes on beside it, and no longer.

    An exception of either stops the other, and is raised once both have ended.
    """
    first, second = asyncio.ensure_future(main), asyncio.ensure_future(other)

    def stop_first(task: "asyncio.Task[object]") -> None:
        if not task.cancelled() and task.exception():
            first.cancel()

    first.add_done_callback(lambda _: second.cancel())
    second.add_done_callback(stop_first)
    try:
        await asyncio.gather(first, second, return_exceptions=True)
    finally:
        for task in (second, first):
            if task.done() and not task.cancelled() and (bug := task.exception()):
                raise bug
    return first.result()


Put = Callable[[R], Awaitable[None]]
"""Hands one thing to whoever reads the stream; waits while the reader lags behind."""

WAITING = 64
"""Things that may wait in a stream for its reader."""


async def stream_out(
    work: Callable[[T, Put[R]], Awaitable[None]],
    items: Iterable[T],
    *,
    limit: int | None = None,
    beside: Callable[[], Coroutine[Any, Any, object]] | None = None,
) -> AsyncGenerator[R, None]:
    """Await `work(item, put)` for all items and yield what they `put`, as it comes.

    `beside` goes on alongside all that. When the reader stops, so does all work, before
    this ends.
    """
    room = asyncio.Semaphore(WAITING)
    waiting: asyncio.Queue[tuple[R] | None] = asyncio.Queue()

    async def put(thing: R) -> None:
        await room.acquire()
        waiting.put_nowait((thing,))

    all_work = fan_out(lambda item: work(item, put), items, limit=limit)
    task = asyncio.ensure_future(alongside(all_work, beside()) if beside else all_work)
    task.add_done_callback(lambda _: waiting.put_nowait(None))
    try:
        while (held := await waiting.get()) is not None:
            room.release()
            yield held[0]
        task.result()
    finally:
        task.cancel()
        await to_the_end(asyncio.wait([task]))
        if not task.cancelled() and (bug := task.exception()):
            raise bug
