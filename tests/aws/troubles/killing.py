"""The client that is killed at its Nth call."""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from queue import SimpleQueue

from ..wire import Answer, Ask, Cut, Request


@dataclass
class Killing:
    """Kills the client by SIGKILL at its `at`th call; `done` is whether that call is done first.

    The victim has to be named: the call that is its last waits for that.
    """

    at: int
    done: bool = False
    calls: int = 0
    victim: "SimpleQueue[int]" = field(default_factory=SimpleQueue)
    struck: bool = False

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        self.calls += 1
        if self.calls != self.at:
            return await ask(request)
        if self.done:
            await ask(request)
        self.struck = True
        os.kill(await asyncio.to_thread(self.victim.get), signal.SIGKILL)
        raise Cut
