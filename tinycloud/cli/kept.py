"""Output that is kept in memory, within bounds: both ends of it, where it is long."""

from collections import deque
from hashlib import blake2b

MOST = 8 << 20
"""Bytes that are kept of one stream of one node, at most."""

BUDGET = 64 << 20
"""Bytes that are kept of all together. The more there is, the less is kept of the longest."""

_PIECE = 1 << 15
_CONTINUE = bytes(range(0x80, 0xC0))
"""Bytes that continue a letter of UTF-8."""


class Kept:
    """What one node printed on one stream: all of it counted and hashed, its two ends kept."""

    __slots__ = ("_hash", "_head", "_pieces", "held", "size")

    def __init__(self) -> None:
        self.size = 0
        self.held = 0
        self._hash = blake2b(digest_size=16)
        self._head: bytes | None = None  # until something is left out, all is in the pieces
        self._pieces: deque[bytearray] = deque()

    @property
    def digest(self) -> bytes:
        """What is equal for equal outputs only."""
        return self._hash.digest()

    def add(self, data: bytes, most: int) -> None:
        """Take what came next; keep no more than `most` of it all."""
        self.size += len(data)
        self.held += len(data)
        self._hash.update(data)
        if self._pieces and len(self._pieces[-1]) < _PIECE:
            self._pieces[-1] += data
        else:
            self._pieces.append(bytearray(data))
        self.trim(most)

    def trim(self, most: int) -> None:
        """Keep no more than `most` of it: half of that from its beginning, half from its end."""
        if self.held <= most:
            return
        half = most // 2
        if self._head is None:
            whole = b"".join(self._pieces)
            self._head, rest = whole[:half], whole[half:]
            self._pieces = deque([bytearray(rest)])
        elif len(self._head) > half:
            self.held -= len(self._head) - half
            self._head = self._head[:half]
        excess = self.held - len(self._head) - half
        while excess > 0:
            first = self._pieces[0]
            gone = min(len(first), excess)
            excess -= gone
            self.held -= gone
            if gone == len(first):
                self._pieces.popleft()
            else:
                del first[:gone]

    def ends(self) -> tuple[bytes, bytes]:
        """Return beginning and end; if nothing is missing between them, the end is empty.

        No letter of UTF-8 is cut through.
        """
        tail = b"".join(self._pieces)
        if self._head is None:
            return tail, b""
        return _without_last_part(self._head), tail.lstrip(_CONTINUE)


def _without_last_part(data: bytes) -> bytes:
    """Return data without the letter of UTF-8 that its end cuts through, if it does."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte in _CONTINUE:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if length > back else data
    return data


class Memory:
    """Shares a bounded memory out among outputs; none need know of the others."""

    def __init__(self, budget: int = BUDGET, most: int = MOST) -> None:
        self._budget = budget
        self._most = self._at_first = most
        self._all: set[Kept] = set()
        self._held = 0

    def add(self, kept: Kept, data: bytes) -> None:
        """Keep what came next of an output, within bounds."""
        self._all.add(kept)
        before = kept.held
        kept.add(data, self._most)
        self._held += kept.held - before
        while self._held > self._budget and self._most > 2:
            self._most //= 2
            for one in self._all:
                one.trim(self._most)
            self._held = sum(one.held for one in self._all)

    def drop(self, kept: Kept) -> None:
        """Forget an output: it is not needed any more."""
        if kept in self._all:
            self._all.remove(kept)
            self._held -= kept.held
            if self._held < self._budget // 2:
                self._most = self._at_first
