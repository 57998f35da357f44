"""Sets of nodes as people write them: `n[01-12,20]` and `0-3,7` in, `worker-[0-3,7]` out."""

import re
from collections.abc import Iterable, Iterator
from itertools import product
from math import prod
from typing import NamedTuple

from .errors import InvalidInput

LARGEST = 1_000_000
"""No index is larger: a typing error must not make a list that fills the memory."""

MOST = 100_000
"""Names that a set may stand for, for the same reason."""

_DIGITS = 15
"""Digits that a number in a range may have."""

_BRACKETS = re.compile(r"(\[[^\]]*\])")
# An IPv6 address in brackets is no range.
_ADDRESS = re.compile(r"\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9._-]+)?\]")
# What varies in a name is its last number; a port at the end is not meant.
_NUMBERED = re.compile(r"([^\[\]]*?)([0-9]{1,15})([^0-9\[\]]*(?::[0-9]{1,5})?)")


class _Range(NamedTuple):
    """The numbers from `first` to `last`, with as many digits as `width` at least."""

    first: int
    last: int
    width: int


_Part = str | tuple[_Range, ...]
"""A piece of a name: the same in all names of the set, or a number of these ranges."""


def expanded(text: str) -> tuple[str, ...]:
    """Return the names that `n[01-12,20],m3` stands for, each once, in the order written.

    Brackets hold numbers and ranges of them, and leading zeros are kept. A name may
    have several, of which the last counts fastest. `[::1]:22` is an address. Raises
    `InvalidInput` for what can't be read, and for more than 100,000 names.
    """
    items = [_parts(item, text) for item in _items(text)]
    count = sum(prod(_size(part) for part in parts) for parts in items)
    if count > MOST:
        raise _no_set(text, f"{count} names, {MOST} at most", "name fewer nodes")
    return tuple(dict.fromkeys(name for parts in items for name in _names(parts)))


def _items(text: str) -> list[str]:
    """Return what stands between the commas that are in no brackets."""
    items, begun, inside = [], 0, False
    for place, character in enumerate(text):
        if character in "[]":
            if inside is (character == "["):
                raise _no_set(text, f"{character!r} without its other half")
            inside = not inside
        elif character == "," and not inside:
            items.append(text[begun:place])
            begun = place + 1
    if inside:
        raise _no_set(text, "'[' without its other half")
    return [item.strip() for item in (*items, text[begun:])]


def _parts(item: str, text: str) -> tuple[_Part, ...]:
    if not item:
        raise _no_set(text, "an empty name")
    pieces = _BRACKETS.split(item)
    return tuple(
        tuple(_range(found, text) for found in piece[1:-1].split(","))
        if place % 2 and not _ADDRESS.fullmatch(piece)
        else piece
        for place, piece in enumerate(pieces)
    )


def _range(piece: str, text: str) -> _Range:
    first, dash, last = piece.partition("-")
    last = last if dash else first
    for digits in (first, last):
        if not (digits.isascii() and digits.isdigit()):
            raise _no_set(text, f"{digits[:20]!r} is not a number")
        if len(digits) > _DIGITS:
            raise _no_set(text, f"{digits[:20]} has more than {_DIGITS} digits")
    if int(first) > int(last):
        raise _no_set(text, f"{first} comes after {last}")
    padded = _padded(first) or _padded(last)
    if padded and len(first) != len(last):
        raise _no_set(text, f"{first} and {last} have different numbers of digits")
    return _Range(int(first), int(last), len(first) if padded else 0)


def _padded(digits: str) -> bool:
    return len(digits) > 1 and digits[0] == "0"


def _size(part: _Part) -> int:
    return 1 if isinstance(part, str) else sum(last - first + 1 for first, last, _ in part)


def _names(parts: tuple[_Part, ...]) -> Iterator[str]:
    return map("".join, product(*(_choices(part) for part in parts)))


def _choices(part: _Part) -> Iterable[str]:
    if isinstance(part, str):
        return (part,)
    return [
        str(number).zfill(width) for first, last, width in part for number in range(first, last + 1)
    ]


def _no_set(text: str, cause: str, fix: str = "write it like n[01-12,20],m3") -> InvalidInput:
    return InvalidInput(f"not a set of nodes: {text[:80]!r}", cause=cause, fix=fix)


def folded(names: Iterable[str]) -> str:
    """Return names as one short text, which `expanded` can read: `master-0,worker-[0-3,7]`."""
    found: dict[tuple[str, str], set[str]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        before, digits, after = match.groups() if match else (name, "", "")
        found.setdefault((before, after), set()).add(digits)
    return ",".join(
        f"{before}{ranges}{after}"
        for (before, after), numbers in found.items()
        for ranges in _ranges(numbers)
    )


def _ranges(numbers: set[str]) -> Iterator[str]:
    """Yield numbers as people write them: `7`, `[0-3,7]`; there may be a name without."""
    if "" in numbers:
        yield ""
    runs: list[tuple[str, str]] = []
    for digits in sorted(numbers - {""}, key=lambda digits: (int(digits), len(digits))):
        if runs and _continues(*runs[-1], digits):
            runs[-1] = runs[-1][0], digits
        else:
            runs.append((digits, digits))
    texts = [first if first == last else f"{first}-{last}" for first, last in runs]
    if texts:
        yield texts[0] if texts[0].isdigit() and len(texts) == 1 else f"[{','.join(texts)}]"


def _continues(first: str, last: str, digits: str) -> bool:
    """Return whether the range from `first` to `last` can go on to `digits`."""
    alike = len(digits) == len(first) or not (_padded(first) or _padded(digits))
    return alike and int(digits) == int(last) + 1


def indices(text: str) -> tuple[int, ...]:
    """Return the indices that `4`, `0-3` or `0-3,7` stand for, or raise `InvalidInput`."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low, high = _number(first, text), _number(last if dash else first, text)
        if low > high:
            raise _no_index(text, f"{low} comes after {high}")
        found.update(range(low, high + 1))
    return tuple(sorted(found))


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise _no_index(text, f"{digits[:20]!r} is not a number")
    if len(digits) > 7 or int(digits) > LARGEST:
        raise _no_index(text, f"{digits[:20]} is larger than any index")
    return int(digits)


def _no_index(text: str, cause: str) -> InvalidInput:
    return InvalidInput(f"not an INDEX: {text[:80]!r}", cause=cause, fix="write 4, 0-3 or 0-3,7")
