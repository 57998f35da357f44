"""Folders of this machine that take in what a node sends, which nobody can trust.

Everything is done relative to the descriptor of a folder, with plain names, and
follows no link: so nothing can come to be anywhere else.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from ...errors import InvalidInput, MachineError
from .parts import PART
from .tree import kind, shown
from .trouble import Refused, errno_words

FILE_BITS, FOLDER_BITS = 0o755, 0o755
"""What a node may say about modes: nothing that lets others write, or runs as somebody else."""

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# What this machine lacks is no fault of a node; what helps.
_LACKS = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some of your disk quota",
    errno.EROFS: "choose a folder that can be written to",
    errno.EIO: "look at this machine's disk: it fails",
    errno.EMFILE: "allow more open files: ulimit -n",
    errno.ENFILE: "end some programs: too many files are open on this machine",
}


def is_plain(name: bytes) -> bool:
    """Return whether `name` can name something in a folder, and nothing anywhere else."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


class Folder:
    """An open folder; `path` is what people call it."""

    def __init__(self, descriptor: int, path: bytes) -> None:
        self.descriptor = descriptor
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def enter(self, name: bytes, mode: int = FOLDER_BITS) -> "Folder":
        """Open a folder in this one; make it if there is nothing of that name."""
        path = os.path.join(self.path, name)
        with _local(path):
            _check_plain(name)
            try:
                return self._entered(name, path)
            except FileNotFoundError:
                with suppress(FileExistsError):
                    os.mkdir(name, mode & FOLDER_BITS | 0o700, dir_fd=self.descriptor)
                return self._entered(name, path)

    def _entered(self, name: bytes, path: bytes) -> "Folder":
        try:
            return Folder(os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=self.descriptor), path)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            found = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            raise Refused(f"{shown(path)} is {kind(found.st_mode)} here: move it away") from error

    def look(self, name: bytes) -> os.stat_result | None:
        """Return what is here under a name; of a link, what it is itself."""
        with _local(os.path.join(self.path, name)):
            _check_plain(name)
            try:
                return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def room(self) -> int:
        """Return how many bytes there is room for."""
        with _local(self.path):
            found = os.fstatvfs(self.descriptor)
        return found.f_bavail * found.f_frsize

    def tidy(self) -> None:
        """Remove unfinished files that nobody writes any more."""
        with _local(self.path):
            names = os.listdir(self.descriptor)
        for name in names:
            if name.startswith(os.fsdecode(PART)):
                with suppress(OSError):
                    _remove_if_left(self.descriptor, name)


def _remove_if_left(folder: int, name: str) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(descriptor)


class Draft:
    """A file that is being written, which has no name yet that anybody would look for."""

    def __init__(self, folder: Folder, name: bytes, mode: int) -> None:
        self._folder = folder
        self._name = name
        self._path = os.path.join(folder.path, name)
        self._part = PART + secrets.token_hex(8).encode()
        self._written = False
        with _local(self._path):
            _check_plain(name)
            bits = mode & FILE_BITS | 0o600
            self._descriptor = os.open(self._part, _CREATE, bits, dir_fd=folder.descriptor)
        with suppress(OSError):  # not every file system knows locks
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        if not self._written:
            with suppress(OSError):
                os.unlink(self._part, dir_fd=self._folder.descriptor)

    def write(self, data: bytes, offset: int) -> None:
        """Write a piece of the content."""
        with _local(self._path):
            left = memoryview(data)
            while left:
                written = os.pwrite(self._descriptor, left, offset)
                left, offset = left[written:], offset + written

    def keep(self, second: int) -> None:
        """Give the file its time and its name; a file of that name, or a link, gives way."""
        with _local(self._path):
            os.utime(self._descriptor, ns=(second * 10**9, second * 10**9))
            found = self._folder.look(self._name)
            if found is not None and stat.S_ISDIR(found.st_mode):
                raise Refused(f"{shown(self._path)} is a folder here: move it away")
            folder = self._folder.descriptor
            os.rename(self._part, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            self._written = True


def opened(path: Path) -> Folder:
    """Open the folder that the user named, following what links he likes; make it if need be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        return Folder(os.open(path, _OPEN), os.fsencode(path))
    except OSError as error:
        cause = error.strerror or str(error)
        if error.errno in _LACKS:
            raise MachineError(f"can't use {path}", cause=cause, fix=_LACKS[error.errno]) from error
        raise InvalidInput(
            f"can't use {path}", cause=cause, fix="name a folder that you may write to"
        ) from error


def _check_plain(name: bytes) -> None:
    if not is_plain(name):
        raise Refused(f"it sent a name that no file can have: {name[:80]!r}")


@contextmanager
def _local(path: bytes) -> Iterator[None]:
    """Tell what this machine lacks from what is the matter with one file."""
    try:
        yield
    except OSError as error:
        if error.errno in _LACKS:
            raise MachineError(
                f"can't write {shown(path)}",
                cause=errno_words(error.errno),
                fix=_LACKS[error.errno],
            ) from error
        cause = errno_words(error.errno) if error.errno else str(error)
        raise Refused(f"can't write {shown(path)} here: {cause}") from error
