"""Private folders and files: refused where others could meddle, written whole or not at all."""

import errno
import os
import stat
import tempfile
from pathlib import Path

import platformdirs

from ..errors import InvalidInput, MachineError

FILE_LIMIT = 1 << 20
"""Bytes that a file of ours may have; a larger one is damaged."""


def state_folder() -> Path:
    """Return the folder of all that tinycloud keeps, which may not exist yet.

    `TINYCLOUD_STATE_DIR`, or `tinycloud` in the user's state folder (`XDG_STATE_HOME`).
    """
    chosen = os.environ.get("TINYCLOUD_STATE_DIR")
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("tinycloud")


def check_folder(path: Path) -> bool:
    """Return whether the folder exists; raise `InvalidInput` if it can't be trusted."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unusable(path, error.strerror or str(error), "give yourself access to it") from error
    if stat.S_ISLNK(found.st_mode):
        raise unusable(path, f"it is a symlink to {os.readlink(path)}", "put a real folder there")
    if not stat.S_ISDIR(found.st_mode):
        raise unusable(path, "it is not a folder", "move it out of the way")
    if found.st_uid != os.geteuid():
        raise unusable(path, "it belongs to another user", "use a folder of your own")
    if found.st_mode & 0o022:
        raise unusable(path, "others may write to it", f"chmod go-w {path}")
    if not found.st_mode & 0o500 == 0o500:
        raise unusable(path, "it can't be read", f"chmod u+rwx {path}")
    return True


def make_folder(path: Path) -> None:
    """Make sure that a private folder (0700) is there and that we may write to it."""
    if not check_folder(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise unusable(path, error.strerror or str(error), OTHER_FOLDER) from error
        check_folder(path)
    if not path.stat().st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        raise unusable(path, "it is read-only", f"chmod u+w {path}")


OTHER_FOLDER = "set TINYCLOUD_STATE_DIR to a folder of your own"


def unusable(path: Path, cause: str, fix: str) -> InvalidInput:
    """Return the error for a folder or file of ours that can't be used."""
    return InvalidInput(f"unusable state: {path}", cause=cause, fix=fix)


def write_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a private file (0600) so that its name never holds half of it.

    `durable` waits until it is on the disk.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise MachineError(
            f"can't write {path}",
            cause=error.strerror or str(error),
            fix="free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else OTHER_FOLDER,
        ) from error


def read_file(path: Path) -> bytes | None:
    """Return what a file of ours holds, or None if there is none.

    Raises `InvalidInput` if it is not a plain file of a sensible size.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(path, error.strerror or str(error), "give yourself access to it") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise unusable(path, "it is not a plain file", "move it out of the way")
        if found.st_size > FILE_LIMIT:
            raise unusable(path, f"{found.st_size} bytes, {FILE_LIMIT} at most", RESTORE)
        return file.read(FILE_LIMIT)


RESTORE = "restore the file, or delete it after 'tinycloud list' of its machines' driver shows none"
