"""One process at a time: a file that is locked while somebody works on what it guards."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Locked(Exception):
    """Somebody else holds the lock; `pid` is 0 if they did not say who they are."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pid = pid


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the block, or raise `Locked` at once.

    The kernel lets go of it when the process ends, however it ends. The file may
    be deleted by its holder: who waited for the deleted one tries the new one.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked(_holder(descriptor)) from None
            if not _is_still(descriptor, path):
                continue
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d" % os.getpid())
            yield
            return
        finally:
            os.close(descriptor)


def _holder(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0)
    return int(text) if text.isdigit() else 0


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
