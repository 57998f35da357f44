"""What a node has already, and so what it lacks."""

import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .tree import Entry, kind, shown

DOUBT = 2
"""Seconds within which a file can change twice and look the same: times are in whole seconds."""

INSIDE = b"/."
"""What follows the path of a folder, where a link is taken for what it leads to."""

_BEGIN = re.compile(rb"^tinycloud (old|new) (tar|notar) ([0-9]{1,15}) (/[^\n]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A file or folder of a node.

    `noted` is when the node last changed what it notes of it, by our clock; None if it
    does not say.
    """

    size: int
    second: int
    mode: int
    device: int | None = None
    noted: int | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is below a folder of a node, by path, of all that was asked for.

    `root` is the whole path of the folder, where that is known.
    """

    has_tar: bool
    is_new: bool = False
    root: bytes | None = None
    found: Mapping[bytes, Found] = field(default_factory=dict)

    def at(self, entry: Entry) -> Found | None:
        """Return what is in the place of an entry: a link, unless it leads to a folder."""
        inside = self.found.get(entry.path + INSIDE) if entry.is_folder else None
        return inside or self.found.get(entry.path)

    def has_folder(self, entry: Entry) -> bool:
        """Return whether there is a folder in the place of an entry."""
        there = self.at(entry)
        return there is not None and there.is_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What has to be done for a node to have what it should, by index of the entry.

    `unchanged` has arrived before. The content of what is in `doubtful` may be right,
    which only its hash tells. `modes` need only another mode. Where there is a
    conflict, nothing can be done at all.
    """

    missing: tuple[int, ...]
    doubtful: tuple[int, ...]
    modes: tuple[int, ...]
    unchanged: int
    conflicts: tuple[str, ...]


def asked(entries: Iterable[Entry]) -> bytes:
    """Return the names to survey: the root, and all that have no line break in them."""
    names = [b".\0"]
    for entry in entries:
        if b"\n" not in entry.path:
            names.append(b"./%s\0" % entry.path)
            if entry.is_folder:  # which may be a link to one
                names.append(b"./%s%s\0" % (entry.path, INSIDE))
    return b"".join(names)


def parsed(answer: bytes, now: float) -> Survey | None:
    """Return what a node answered at `now`; None if that is no answer."""
    # What a login shell says by itself, for whatever reason, comes before.
    begin = _BEGIN.search(answer)
    if begin is None:
        return None
    new, tar, clock, root = begin.groups()
    lines = answer[begin.end() :].split(b"\n")
    ahead = int(clock) - int(now)
    try:
        found = dict(_found(line, ahead) for line in lines if line[:1].isdigit())
    except ValueError:
        return None
    return Survey(has_tar=tar == b"tar", is_new=new == b"new", root=root, found=found)


def _found(line: bytes, ahead: int) -> tuple[bytes, Found]:
    size, second, mode, device, noted, path = line.split(b" ", 5)
    # Some give fractions of a second, which we can't set and so don't compare.
    return path.removeprefix(b"./"), Found(
        int(size), int(float(second)), int(mode, 16), int(device), int(float(noted)) - ahead
    )


def lacks(entries: Sequence[Entry], survey: Survey) -> Lack:
    """Return what the node lacks of these entries."""
    missing, doubtful, modes, conflicts = [], [], [], []
    unchanged = 0
    for index, entry in enumerate(entries):
        there = survey.at(entry)
        if there is None:
            missing.append(index)
        elif entry.is_folder != there.is_folder:
            conflicts.append(_conflict(entry, there))
        elif entry.is_folder:
            continue
        elif there.size != entry.size or not stat.S_ISREG(there.mode):
            missing.append(index)
        elif not _is_surely_the_same(entry, there):
            doubtful.append(index)
        else:
            unchanged += 1
            if stat.S_IMODE(there.mode) != entry.mode:
                modes.append(index)
    return Lack(
        missing=tuple(missing),
        doubtful=tuple(doubtful),
        modes=tuple(modes),
        unchanged=unchanged,
        conflicts=tuple(conflicts),
    )


def _is_surely_the_same(entry: Entry, there: Found) -> bool:
    """Return whether size and time are proof enough.

    They are not for a file that changed shortly before it was put: it may have changed
    again within the same second.
    """
    if there.second != entry.second:
        return False
    return there.noted is None or entry.changed // 10**9 + DOUBT < there.noted


def _conflict(entry: Entry, there: Found) -> str:
    ours, theirs = kind(stat.S_IFDIR if entry.is_folder else stat.S_IFREG), kind(there.mode)
    return f"{shown(entry.path)} is {theirs} there, and {ours} here"


def hashes(answer: bytes, count: int) -> tuple[bytes, ...]:
    """Return the hashes that a node answered with; nothing if they are not `count`."""
    _, _, rest = answer.partition(b"tinycloud\n")
    words = [line.split(b" ", 1)[0].lstrip(b"\\") for line in rest.split(b"\n") if b" " in line]
    return tuple(words) if len(words) == count else ()
