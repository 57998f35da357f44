"""What differs between two outputs, as `diff -u` shows it."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from .kept import Kept

MOST_LINES = 2_000
"""Lines that are compared on either side; what both begin and end with does not count."""

_CONTEXT = 3


def difference(base: Kept, other: Kept) -> Iterator[bytes]:
    """Yield the lines of a unified diff from `base` to `other`, without their names."""
    if any(one.ends()[1] for one in (base, other)):
        yield b"... only what is kept of long output is compared"
    before, after = _lines(base), _lines(other)
    alike = _alike(before, after)
    if alike == len(before) == len(after):
        yield b"... only one of them ends its last line"
        return
    end = _alike(before[alike:][::-1], after[alike:][::-1])
    first, last = max(0, alike - _CONTEXT), max(0, end - _CONTEXT)
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    if max(len(old), len(new)) > MOST_LINES:
        yield b"... too much differs to be shown: %d lines for %d" % (len(new), len(old))
        return
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(_CONTEXT):
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        yield b"@@ -%d,%d +%d,%d @@" % (first + i1 + 1, i2 - i1, first + j1 + 1, j2 - j1)
        for kind, i1, i2, j1, j2 in group:
            if kind == "equal":
                yield from (b" " + line for line in old[i1:i2])
                continue
            yield from (b"-" + line for line in old[i1:i2])
            yield from (b"+" + line for line in new[j1:j2])


def _lines(kept: Kept) -> list[bytes]:
    lines = b"".join(kept.ends()).split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _alike(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    """Return how many lines both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
