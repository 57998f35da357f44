"""The script that an archive ends with: it puts what was unpacked in its place."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from .archive import TOP
from .script import word
from .target import parent
from .tree import Entry

LONGEST = 32 * 1024
"""Bytes of arguments that one command is given."""


# Where nodes share a home, a folder that was missing may be there by now: then what is in
# it goes there one by one.
_FUNCTION = b"""
place() {
    mv -f "$1" "$2" 2>/dev/null && return
    if test -d "$1" && test -d "$2${1##*/}"; then
        for inner in "$1"/* "$1"/.[!.]* "$1"/..?*; do
            if test -e "$inner"; then place "$inner" "$2${1##*/}/" || return; fi
        done
    else
        mv -f "$1" "$2"
    fi
}"""


def script(
    moved: Iterable[Entry], existing: Collection[bytes], refreshed: Sequence[Entry]
) -> bytes:
    """Return the script, which is run in the root, with the folder of the archive as `$1`.

    `moved` were unpacked; what is in a folder that does not exist yet goes along with
    it. `existing` are the folders that do. `refreshed` have the right content already,
    and get the right mode and time.
    """
    lines = [_FUNCTION, b"s=0"]
    for folder, entries in moves(moved, existing):
        there = b" " + _there(folder) + b"/"
        folders = [entry for entry in entries if entry.is_folder]
        lines += [b"place " + _staged(entry) + there + b" || s=1" for entry in folders]
        files = [_staged(entry) for entry in entries if not entry.is_folder]
        lines += _commands(b"mv -f", files, there)
    for second, names in _grouped(refreshed, lambda entry: entry.second):
        lines += _commands(_touch(second), [_there(name) for name in names])
    # Always, for it notes on the node when it was last known that the content is right.
    for mode, names in _grouped(refreshed, lambda entry: entry.mode):
        lines += _commands(b"chmod %o" % mode, [_there(name) for name in names])
    return b"\n".join([*lines, b"exit $s", b""])


def moves(
    moved: Iterable[Entry], existing: Collection[bytes]
) -> tuple[tuple[bytes, list[Entry]], ...]:
    """Return what has to be moved into which folder; each folder comes before what is in it."""
    found: dict[bytes, list[Entry]] = {}
    for entry in moved:
        folder = parent(entry.path)
        if not folder or folder in existing:
            found.setdefault(folder, []).append(entry)
    return tuple(found.items())


def _grouped(
    entries: Iterable[Entry], key: Callable[[Entry], int]
) -> Iterator[tuple[int, list[bytes]]]:
    found: dict[int, list[bytes]] = {}
    for entry in entries:
        found.setdefault(key(entry), []).append(entry.path)
    yield from found.items()


def _staged(entry: Entry) -> bytes:
    return b'"$1"/' + word(TOP + entry.path)


def _there(path: bytes) -> bytes:
    return b"./" + word(path) if path else b"."


def _touch(second: int) -> bytes:
    # The one way to say a time that every touch knows.
    stamp = time.strftime("%Y%m%d%H%M.%S", time.gmtime(second))
    return b"TZ=UTC0 touch -c -m -t " + stamp.encode()


def _commands(command: bytes, words: Iterable[bytes], last: bytes = b"") -> Iterator[bytes]:
    line = command
    for each in words:
        line += b" " + each
        if len(line) > LONGEST:
            yield line + last + b" || s=1"
            line = command
    if line is not command:
        yield line + last + b" || s=1"
