"""When to go on with other nodes after some have failed: decisions, and no I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from ..errors import InvalidInput

T = TypeVar("T")

Amount = int | str
"""A number of nodes, or a share of all: `3`, `"3"`, `"10%"`."""

_AMOUNT = re.compile(r"(\d{1,9})(%?)")


@dataclass(frozen=True, slots=True)
class Share:
    """A number of nodes, or a percentage of however many there are."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """Return how many that is of `total`, rounded down."""
        return total * self.number // 100 if self.percent else self.number


def share(amount: Amount, what: str) -> Share:
    """Return what an amount means; raise `InvalidInput` for what is none."""
    found = _AMOUNT.fullmatch(str(amount).strip())
    if found is None or (found[2] and int(found[1]) > 100):
        raise InvalidInput(
            f"{what} can't be {str(amount)[:80]!r}", fix="give a number of nodes, or 0% to 100%"
        )
    return Share(int(found[1]), bool(found[2]))


def shares(serial: Amount | Sequence[Amount]) -> tuple[Share, ...]:
    """Return the sizes of batches, which may be written with commas; `InvalidInput` if one is 0."""
    given = serial.split(",") if isinstance(serial, str) else serial
    amounts = [given] if isinstance(given, int) else given
    found = tuple(share(amount, "the size of a batch") for amount in amounts)
    if not found or any(size.number == 0 for size in found):
        raise InvalidInput("a batch needs a node", fix="give sizes above 0, as in 1,10%,100%")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is wanted of a command when it fails: `tolerated` None means to go on anyhow.

    `fail_fast` is whether to end what runs, too; `sizes` are those of the batches.
    """

    fail_fast: bool = False
    tolerated: Share | None = None
    sizes: tuple[Share, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        fail_fast: bool = False,
        max_fail: Amount | None = None,
        serial: Amount | Sequence[Amount] | None = None,
    ) -> Self:
        """Return the policy that was asked for; raise `InvalidInput` if it makes no sense.

        Whoever fails fast or goes by batches tolerates no failure, unless told otherwise.
        """
        sizes = () if serial is None else shares(serial)
        tolerated = None if max_fail is None else share(max_fail, "the failures to tolerate")
        if tolerated is None and (fail_fast or sizes):
            tolerated = Share(0)
        return cls(fail_fast=fail_fast, tolerated=tolerated, sizes=sizes)

    def batches(self, items: Sequence[T]) -> tuple[tuple[T, ...], ...]:
        """Return the items in batches, in their order; the last size goes for all the rest."""
        if not self.sizes:
            return (tuple(items),)
        found: list[tuple[T, ...]] = []
        begin = 0
        while begin < len(items):
            size = self.sizes[min(len(found), len(self.sizes) - 1)]
            end = begin + max(1, size.of(len(items)))
            found.append(tuple(items[begin:end]))
            begin = end
        return tuple(found)

    def objection(self, failed: Sequence[str], total: int) -> str | None:
        """Return why no more of `total` nodes may begin, once those of these names have failed."""
        if self.tolerated is None or len(failed) <= (most := self.tolerated.of(total)):
            return None
        return f"{len(failed)} nodes failed, {most} may" if most else f"{failed[0]} failed"
