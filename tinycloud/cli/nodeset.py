"""Sets of nodes as people write them: `0-3,7` in, `worker-[0-3,7]` out."""

from collections.abc import Iterable

from ..errors import InvalidInput

LARGEST = 1_000_000
"""No index is larger: a typing error must not make a list that fills the memory."""


def indices(text: str) -> tuple[int, ...]:
    """Return the indices that `4`, `0-3` or `0-3,7` stand for, or raise `InvalidInput`."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low, high = _number(first, text), _number(last if dash else first, text)
        if low > high:
            raise _unreadable(text, f"{low} comes after {high}")
        found.update(range(low, high + 1))
    return tuple(sorted(found))


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise _unreadable(text, f"{digits[:20]!r} is not a number")
    if len(digits) > 7 or int(digits) > LARGEST:
        raise _unreadable(text, f"{digits[:20]} is larger than any index")
    return int(digits)


def _unreadable(text: str, cause: str) -> InvalidInput:
    return InvalidInput(f"not an INDEX: {text[:80]!r}", cause=cause, fix="write 4, 0-3 or 0-3,7")


def folded(names: Iterable[str]) -> str:
    """Return node names as one short text: `master-0,worker-[0-3,7]`."""
    groups: dict[str, list[int]] = {}
    others = []
    for name in names:
        tag, dash, digits = name.rpartition("-")
        if dash and digits.isascii() and digits.isdigit():
            groups.setdefault(tag, []).append(int(digits))
        else:
            others.append(name)
    parts = [f"{tag}-{_ranges(sorted(found))}" for tag, found in groups.items()]
    return ",".join([*parts, *others])


def _ranges(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return "[" + ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) + "]"
