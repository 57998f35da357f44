"""Ctrl-C, and what counts as one: once is a request, twice is an order."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .say import error, write_at_once

T = TypeVar("T")

# asyncio runs no clean-up for SIGTERM and SIGHUP by itself.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Work was stopped by a signal, and has cleaned up after itself."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM, 129 for a hang-up, as a shell would say."""
        return 128 + self.number


def _say_left() -> None:
    error("left at once", "interrupted twice", "run the same command again")


def run(
    work: Coroutine[Any, Any, T],
    *,
    ask: Callable[[], bool] = lambda: False,
    first: Callable[[], None] = lambda: None,
    second: Callable[[], None] = _say_left,
) -> T:
    """Run `work` in a new event loop and return what it returns.

    The first signal cancels the work, which may take its time to clean up, and
    calls `first`; then this raises `Interrupted`. Work that can be asked to come to its
    end is asked: if `ask` returns True it is not cancelled. The second calls `second`
    and ends the process at once.
    """
    taken: list[signal.Signals] = []

    async def supervised() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            if taken:
                # A terminal that closes hangs up more than once: that is no order.
                if number is not signal.SIGHUP:
                    _leave(second, number)
                return
            taken.append(number)
            if not ask() and task is not None:
                task.cancel()
            first()

        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked us to stay
                loop.add_signal_handler(number, stop, number)
        return await work

    try:
        with _runner(work) as runner:
            found = runner.run(supervised())
    except asyncio.CancelledError:
        if not taken:
            raise RuntimeError("the work cancelled itself") from None
        raise Interrupted(taken[0]) from None
    if taken:
        raise Interrupted(taken[0])
    return found


def _runner(work: Coroutine[Any, Any, object]) -> asyncio.Runner:
    """Return an event loop to run `work` in; where there can be none, it is given up quietly."""
    runner = asyncio.Runner()
    try:
        runner.get_loop()
    except OSError:
        work.close()
        raise
    return runner


def _leave(second: Callable[[], None], number: signal.Signals) -> None:
    try:
        write_at_once()
        second()
        sys.stderr.flush()
    finally:
        os._exit(128 + number)
