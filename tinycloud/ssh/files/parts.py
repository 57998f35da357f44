"""Unfinished files on a node: how they are called, and what of them is of use to go on with."""

import hashlib
import os
import socket
from collections.abc import Iterable, Mapping
from functools import cache

from .target import joined, parent
from .tree import Entry

PART = b".tinycloud-part-"
"""What the names of unfinished files begin with, here and on nodes."""

DOUBTFUL = 8 * 1024 * 1024
"""Bytes at the end of an unfinished file that may have holes: requests overtake each other."""


def part(root: bytes, entry: Entry, node: str) -> bytes:
    """Return the path of the file that an entry is written to until it is whole.

    It is the same for the same version of the same file from here to the same node:
    what was cut short can be gone on with. Nodes that share a home have one each.
    """
    path = joined(root, entry.path)
    whose = _hash(_us(), node.encode(), os.path.realpath(entry.source), path)
    version = _hash(b"%d %d" % (entry.size, entry.changed))
    return joined(parent(path) or b"/", b"%s%s-%s" % (PART, whose, version))


@cache
def _us() -> bytes:
    return f"{socket.gethostname()} {os.getuid()}".encode()


def _hash(*words: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(words)).hexdigest()[:16].encode()


def leftovers(answer: bytes, parts: Iterable[bytes]) -> Mapping[bytes, tuple[int, bytes]]:
    """Return, by path, the length and the hash of what a node has of these unfinished files."""
    by_name = {path.rpartition(b"/")[2]: path for path in parts}
    found = {}
    for line in answer.split(b"\n"):
        words = line.split(b" ")
        if len(words) == 3 and words[0].isdigit() and words[2] in by_name:
            found[by_name[words[2]]] = int(words[0]), words[1]
    return found
