"""Take files out of a tar stream that comes from a node, and so may be anything.

Only regular files that were asked for are taken, each once, and none that is large. What
else there is makes the stream worthless from there on: what is missing then is fetched
one by one.
"""

from collections.abc import Callable, Mapping
from tarfile import BLOCKSIZE
from typing import Generic, TypeVar

from .archive import SMALL

T = TypeVar("T")

LONGEST_NAME = 100 - len(b"./")
"""Bytes of a path that every tar writes into the header itself."""

EXTRA = 64 * 1024
"""Bytes of a member that says something about the next one, and is of no use to us."""

# What pax, GNU and others put before a member, beside the plain header.
_EXTRAS = (b"x", b"g", b"L", b"K", b"X")
_FILES = (b"0", b"\0")

BEGIN = b"tinycloud\n"
"""What comes before the stream."""

SLACK = 1024 * 1024
"""Bytes by which a stream may be longer than twice what was announced, headers and all."""


class Garbled(Exception):
    """A stream holds what nobody asked for."""


class Unpacker(Generic[T]):
    """Hands the files of a stream to `keep`, as they come; `wanted` says which, by path.

    `announced` is how many bytes they were said to hold. `missing` are those that have
    not come.
    """

    def __init__(
        self, wanted: Mapping[bytes, T], announced: int, keep: Callable[[T, bytes], None]
    ) -> None:
        self.missing = dict(wanted)
        self._keep = keep
        self._budget = 2 * (announced + 4 * BLOCKSIZE * len(wanted)) + SLACK
        self._begun = False
        self._held = bytearray()
        self._skipping = 0
        self._file: tuple[bytes, int] | None = None

    def feed(self, data: bytes) -> None:
        """Take a piece of the stream; raise `Garbled` if it is good for nothing from here on."""
        self._held += data
        self._budget -= len(data)
        if self._budget < 0:
            raise Garbled("it goes on and on")
        while self._step():
            pass

    def _step(self) -> bool:
        """Deal with the next thing in the stream; return whether all of it was there."""
        if not self._begun:
            return self._find_beginning()
        if self._skipping:
            skipped = min(self._skipping, len(self._held))
            del self._held[:skipped]
            self._skipping -= skipped
            return skipped > 0
        if self._file is not None:
            return self._take(*self._file)
        if len(self._held) < BLOCKSIZE:
            return False
        header = bytes(self._held[:BLOCKSIZE])
        del self._held[:BLOCKSIZE]
        if any(header):
            self._begin(header)
        return True

    def _find_beginning(self) -> bool:
        """Skip what a login shell says by itself."""
        at = self._held.find(BEGIN)
        if at >= 0:
            del self._held[: at + len(BEGIN)]
            self._begun = True
        return self._begun

    def _begin(self, header: bytes) -> None:
        path = header[:100].split(b"\0", 1)[0].removeprefix(b"./")
        size, kind = _octal(header[124:136]), header[156:157]
        if kind in _FILES and size <= SMALL and path in self.missing:
            self._file = path, size
        elif kind in _EXTRAS and size <= EXTRA:
            self._skipping = _padded(size)
        elif kind != b"1" or size:  # a file with two names comes once, and then as a link
            raise Garbled(f"an unexpected member of type {kind!r}")

    def _take(self, path: bytes, size: int) -> bool:
        if len(self._held) < _padded(size):
            return False
        content = bytes(self._held[:size])
        del self._held[: _padded(size)]
        self._file = None
        self._keep(self.missing.pop(path), content)
        return True


def _padded(size: int) -> int:
    return size + -size % BLOCKSIZE


def _octal(field: bytes) -> int:
    """Return a number out of a header; a very large one if it is none."""
    digits = field.strip(b" \0")
    if digits and set(digits) <= set(b"01234567"):
        return int(digits, 8)
    return 0 if not digits else 1 << 62
