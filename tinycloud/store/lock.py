"""One process at a time: a file that is locked while somebody works on what it guards."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .folder import failure

_LOOKS, _PAUSE = 50, 0.002
"""How often, and how many seconds apart, a holder is looked at who has not said who it is."""


class Locked(Exception):
    """Somebody else holds the lock; `pid` is 0 if they did not say who they are."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pid = pid


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the block, or raise `Locked` at once.

    The kernel lets go of it when the process ends, however it ends. The file may
    be deleted by its holder: who opened the deleted one tries the new one.

    Raises `FileNotFoundError` or `NotADirectoryError` if its folder is no more.
    """
    descriptor = _taken(path)
    try:
        with suppress(OSError):  # a disk that is full: nobody learns who we are, that is all
            os.write(descriptor, b"%d" % os.getpid())
        yield
    finally:
        os.ftruncate(descriptor, 0)  # the next holder is not to be taken for us
        os.close(descriptor)


def _taken(path: Path) -> int:
    """Return the descriptor of the empty lock file, locked."""
    while True:
        descriptor = _opened(path)
        try:
            _lock(descriptor)
            if _is_still(descriptor, path):
                os.ftruncate(descriptor, 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise failure(path, error) from error


def _lock(descriptor: int) -> None:
    """Take the lock or raise `Locked`; a holder has a moment to write down who it is."""
    for _ in range(_LOOKS):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pid := _holder(descriptor):
                raise Locked(pid) from None
        time.sleep(_PAUSE)
    raise Locked(0)


def _holder(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0)
    return int(text) if text.isdigit() else 0


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
