"""Files to or from many nodes, whatever library the connections are made with."""

import asyncio
from typing import Any, Protocol

from ..connection import Ending
from .progress import Tally


class Transfer(Protocol):
    """What is to be put on nodes, or got from them."""

    async def on(self, connection: Any, channels: asyncio.Semaphore, tally: Tally) -> Ending:
        """Do it on the node at the other end of an open connection; return how that went."""
