"""Private folders and files: refused where others could meddle, written whole or not at all."""

import errno
import os
import re
import shlex
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs

from ..errors import InvalidInput, MachineError, TinycloudError

FILE_LIMIT = 1 << 20
"""Bytes that a file of ours may have; a larger one is damaged."""

_TRIES = 10

OTHER_FOLDER = "set TINYCLOUD_STATE_DIR to a folder of your own"
REAL_FOLDER = "put a real folder in its place, or set TINYCLOUD_STATE_DIR to one"

SHORTAGES = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some of your disk quota",
    errno.EFBIG: "allow larger files: ulimit -f",
    errno.EMFILE: "allow more open files: ulimit -n",
    errno.ENFILE: "end some programs: too many files are open on this machine",
    errno.ENOMEM: "end some programs: this machine has no memory left",
    errno.EAGAIN: "allow more processes: ulimit -u",
    errno.EIO: "look at this machine's disk or terminal: it fails",
}
"""What this machine can lack, whatever file or folder is at hand, and what helps."""


def state_folder() -> Path:
    """Return the folder of all that tinycloud keeps, which may not exist yet.

    `TINYCLOUD_STATE_DIR`, or `tinycloud` in the user's state folder (`XDG_STATE_HOME`).
    """
    chosen = os.environ.get("TINYCLOUD_STATE_DIR")
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("tinycloud")


def encoded(name: str) -> str:
    """Return a folder's name, with a mark before capitals: some file systems ignore case."""
    return re.sub("[A-Z]", lambda letter: f"+{letter[0].lower()}", name)


def decoded(name: str) -> str:
    """Return what `encoded` was given."""
    return re.sub(r"\+([a-z])", lambda letter: letter[1].upper(), name)


def check_folder(path: Path) -> bool:
    """Return whether the folder exists; raise `InvalidInput` if it can't be trusted."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise failure(path, error) from error
    if stat.S_ISLNK(found.st_mode):
        raise unusable(path, f"it is a symlink to {os.readlink(path)}", REAL_FOLDER)
    if not stat.S_ISDIR(found.st_mode):
        raise unusable(path, "it is not a folder", REAL_FOLDER)
    if found.st_uid != os.geteuid():
        raise unusable(path, "it belongs to another user", OTHER_FOLDER)
    if found.st_mode & 0o022:
        shared = found.st_mode & stat.S_ISVTX  # like /tmp: not for one user to close
        raise unusable(
            path, "others may write to it", OTHER_FOLDER if shared else _chmod("go-w", path)
        )
    if not found.st_mode & 0o500 == 0o500:
        raise unusable(path, "it can't be read", _chmod("u+rwx", path))
    return True


def make_folder(path: Path) -> None:
    """Make sure that a private folder (0700) is there and that we may write to it."""
    gone: OSError = FileNotFoundError(errno.ENOENT, "others keep removing it")
    for _ in range(_TRIES):
        try:
            if not check_folder(path):
                _make(path)
                check_folder(path)
            return _check_writable(path)
        except (FileNotFoundError, FileExistsError) as error:
            gone = error  # somebody tidied it away, or a folder above it, or made it just now
        except OSError as error:
            raise failure(path, error, OTHER_FOLDER) from error
    raise failure(path, gone, OTHER_FOLDER)


def _check_writable(path: Path) -> None:
    if not path.stat().st_mode & stat.S_IWUSR:
        raise unusable(path, "it is read-only", _chmod("u+w", path))
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        raise unusable(path, "its file system is read-only", OTHER_FOLDER)


def _make(path: Path) -> None:
    """Make a folder, and those above it that are missing, open to us alone from the first."""
    if not path.parent.exists():
        _make(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def _chmod(mode: str, path: Path) -> str:
    return f"chmod {mode} {shlex.quote(str(path))}"


def unusable(path: Path, cause: str, fix: str) -> InvalidInput:
    """Return the error for a folder or file of ours that can't be used."""
    return InvalidInput(f"unusable state: {path}", cause=cause, fix=fix)


def failure(path: Path, error: OSError, fix: str = "give yourself access to it") -> TinycloudError:
    """Return the error for a folder or file of ours that the system did not let us use."""
    cause = error.strerror or str(error)
    if error.errno in SHORTAGES:
        return MachineError(f"can't use {path}", cause=cause, fix=SHORTAGES[error.errno])
    if error.errno == errno.ELOOP:
        return unusable(path, "it is a symlink", f"put the real thing in place of {path}")
    return unusable(path, cause, fix)


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
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise MachineError(
            f"can't write {path}",
            cause=error.strerror or str(error),
            fix=SHORTAGES.get(error.errno or 0, OTHER_FOLDER),
        ) from error


def _sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(
    path: Path, *, secret: bool = False, fix: str = "restore the file, or delete it"
) -> bytes | None:
    """Return what a file of ours holds, or None if there is none.

    Raises `InvalidInput` if it is not a plain file of a sensible size that only we
    can have written, and, if it is `secret`, that only we can read; `fix` is what
    helps where it is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(path, error) from error
    try:
        _check_file(path, os.fstat(descriptor), 0o077 if secret else 0o022, fix)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(FILE_LIMIT)
    finally:
        os.close(descriptor)


def _check_file(path: Path, found: os.stat_result, closed: int, fix: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise unusable(path, "it is not a plain file", "move it out of the way")
    if found.st_uid != os.geteuid():
        raise unusable(path, "it belongs to another user", OTHER_FOLDER)
    if found.st_mode & closed:
        raise unusable(path, "it is open to others", _chmod("600", path))
    if found.st_size > FILE_LIMIT:
        raise unusable(path, f"{found.st_size} bytes, {FILE_LIMIT} at most", fix)
