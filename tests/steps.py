"""Cancel some work after each of its steps, and of the steps of all tasks that it starts."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Generator
from typing import Any


class Counted(Coroutine[Any, Any, Any]):
    """A coroutine that says when it takes a step: when it runs until it has to wait."""

    def __init__(self, inner: Coroutine[Any, Any, Any], step: Callable[[], None]) -> None:
        self._inner, self._step = inner, step

    def send(self, value: Any) -> Any:
        self._step()
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        self._step()
        return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


Work = Coroutine[Any, Any, object]


class Run:
    """What became of some work: of its task, and how many steps were taken."""

    def __init__(self) -> None:
        self.steps = 0
        self.task: asyncio.Task[Any] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it ended as cancelled."""
        assert self.task is not None
        return self.task.cancelled()

    @property
    def error(self) -> BaseException | None:
        """What it raised, other than its being cancelled."""
        assert self.task is not None
        return None if self.task.cancelled() else self.task.exception()


def run(work: Work, *, cancel_at: Collection[int] = ()) -> Run:
    """Run `work` in an event loop of its own, cancelled after these steps; nothing may go on.

    Steps are counted from 1, in all tasks together.
    """
    ran = Run()

    def step() -> None:
        ran.steps += 1
        if ran.steps in cancel_at and ran.task is not None:
            asyncio.get_running_loop().call_soon(ran.task.cancel)

    def factory(loop: asyncio.AbstractEventLoop, inner: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(Counted(inner, step), loop=loop, **options)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        ran.task = loop.create_task(work)
        await asyncio.wait([ran.task])
        loop.set_task_factory(None)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert left == set(), f"goes on after the end: {left}"

    asyncio.run(main())
    return ran
