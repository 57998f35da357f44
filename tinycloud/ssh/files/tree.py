"""Files of this machine, as they are to be on a node."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from ...errors import InvalidInput, MachineError

LATEST = 2**32 - 1
"""The last second that SFTP can name (draft-ietf-secsh-filexfer-02, 5)."""

_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_SHORT = (errno.EMFILE, errno.ENFILE)

Remark = Callable[[str], None]

_Above = tuple[tuple[int, int], ...]
"""Device and inode of the folders that something is in."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: where it comes from, and its path below a folder of the node.

    `mode` are permission bits alone, `changed` is when its content last did, in
    nanoseconds.
    """

    path: bytes
    source: bytes
    is_folder: bool
    size: int
    mode: int
    changed: int

    @classmethod
    def of(cls, path: bytes, source: bytes, found: os.stat_result) -> Self:
        """Return the entry for what was found at `source`."""
        is_folder = stat.S_ISDIR(found.st_mode)
        return cls(
            path,
            source,
            is_folder,
            0 if is_folder else found.st_size,
            # Its owner has to get into a folder, to fill it.
            stat.S_IMODE(found.st_mode) & 0o777 | (0o700 if is_folder else 0),
            found.st_mtime_ns,
        )

    @property
    def second(self) -> int:
        """When its content last changed, as SFTP and tar can say it."""
        return min(max(self.changed // 10**9, 0), LATEST)


def read(path: bytes, source: bytes, remark: Remark) -> Iterator[Entry]:
    """Yield what is at `source`, which a node gets as `path`: parents before what is in them.

    Links are followed: a node gets what they lead to. What is neither a file nor a
    folder, and a link that leads nowhere, is passed over with a remark. Raises
    `InvalidInput` if something can't be read, or a link leads to a folder that it is in.
    """
    found = _stat(source)
    if found is None or not _is_sendable(found):
        why = "no such file or folder" if found is None else kind(found.st_mode)
        raise InvalidInput(f"can't send {shown(source)}", cause=why, fix="give a file or a folder")
    waiting: list[tuple[Entry, os.stat_result, _Above]] = [
        (Entry.of(path, source, found), found, ())
    ]
    while waiting:
        entry, found, above = waiting.pop()
        _check_readable(entry)
        yield entry
        if entry.is_folder:
            inside = _checked_place(entry, found, above)
            waiting += [(inner, stat_, inside) for inner, stat_ in _content(entry, remark)][::-1]


def _is_sendable(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)


def _checked_place(entry: Entry, found: os.stat_result, above: _Above) -> _Above:
    place = found.st_dev, found.st_ino
    if place in above:
        raise InvalidInput(
            f"can't send {shown(entry.source)}",
            cause="it is a link to a folder that it is in",
            fix="remove the link",
        )
    return *above, place


def _content(folder: Entry, remark: Remark) -> Iterator[tuple[Entry, os.stat_result]]:
    for name in _names(folder.source):
        path, source = os.path.join(folder.path, name), os.path.join(folder.source, name)
        found = _stat(source)
        if found is not None and _is_sendable(found):
            yield Entry.of(path, source, found), found
        else:
            why = "a link that leads nowhere" if found is None else kind(found.st_mode)
            remark(f"passed over {shown(source)}: {why}")


def _stat(source: bytes) -> os.stat_result | None:
    try:
        return os.stat(source)
    except OSError as error:
        if error.errno in _NOWHERE:
            return None
        raise _unreadable(source, error) from error


def _names(folder: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _check_readable(entry: Entry) -> None:
    if not os.access(entry.source, os.R_OK | (os.X_OK if entry.is_folder else 0)):
        raise InvalidInput(
            f"can't read {shown(entry.source)}",
            cause="permission denied",
            fix="give yourself access to it, or leave it out",
        )


def _unreadable(source: bytes, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"can't read {shown(source)}",
        cause=error.strerror or str(error),
        fix="give yourself access to it, or leave it out",
    )


def kind(mode: int) -> str:
    """Return what a thing of this mode is, in words."""
    names = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a file",
    }
    return names.get(stat.S_IFMT(mode), "neither a file nor a folder")


def shown(path: bytes) -> str:
    """Return a path as people may read it."""
    return path.decode(errors="backslashreplace")


class Changed(Exception):
    """A file of ours is not what it was when the transfer began."""


def opened(entry: Entry) -> int:
    """Return a descriptor of the file, to read it from; raise `Changed` if there is none now."""
    try:
        # Without O_NONBLOCK a pipe that has taken the file's place would keep us for ever.
        descriptor = os.open(entry.source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _SHORT:
            raise MachineError(
                f"can't open {shown(entry.source)}",
                cause=error.strerror or "",
                fix="allow more open files: ulimit -n",
            ) from error
        cause = error.strerror or str(error)
        raise Changed(f"{shown(entry.source)} can't be read any more: {cause}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Changed(f"{shown(entry.source)} is no file any more")
    return descriptor
