"""How many calls EC2 takes, of an account in a region: token buckets, some smaller than others.

Sizes are those that AWS documents (EC2 API throttling), a little below where there is room.
"""

import asyncio
import time
from dataclasses import dataclass, field

_FEW, _MANY = (5.0, 2.0), (50.0, 5.0)
_READING = (100.0, 20.0)
_SIZES = {
    "run_instances": _FEW,
    "start_instances": _FEW,
    "terminate_instances": (100.0, 5.0),
    "create_tags": (100.0, 10.0),
}


@dataclass
class Bucket:
    """`size` calls at once, and `rate` each second after that."""

    size: float
    rate: float
    _left: float = field(init=False)
    _when: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._when = self.size, time.monotonic()

    def take(self, now: float) -> float:
        """Take one, and return how many seconds to wait before it may be used."""
        self._left = min(self.size, self._left + (now - self._when) * self.rate) - 1
        self._when = now
        return max(0.0, -self._left / self.rate)


class Limiter:
    """Holds calls back for as long as EC2 would refuse them."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    async def wait(self, operation: str) -> None:
        """Wait until a call of this kind may be made."""
        kind = operation if operation in _SIZES else kind_of(operation)
        size, rate = _SIZES.get(kind, _READING if kind == "read" else _MANY)
        bucket = self._buckets.setdefault(kind, Bucket(size, rate))
        if delay := bucket.take(time.monotonic()):
            await asyncio.sleep(delay)


def kind_of(operation: str) -> str:
    """Return whether a call changes anything."""
    return "read" if operation.startswith(("describe", "get")) else "change"
