"""One cluster's folder."""

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ..errors import ClusterBusy, InvalidInput, MachineError
from ..group import checked_name
from ..nodeset import expanded, folded
from .folder import (
    FILE_LIMIT,
    check_folder,
    decoded,
    encoded,
    make_folder,
    read_file,
    state_folder,
    unusable,
    write_file,
)
from .keys import LoginKey, login_key, make_login_key
from .lock import Locked, locked
from .openssh import check_public_key
from .record import Record, remedy

CLUSTERS, RECORD, LOCK, PINS, FAILED = "clusters", "record.json", "lock", "pins", "failed"


def known_clusters() -> tuple[str, ...]:
    """Return the names of all clusters with a folder here, sorted.

    What can't be a cluster's folder, such as a `.DS_Store`, is passed over.
    """
    folder = state_folder() / CLUSTERS
    if not check_folder(folder.parent) or not check_folder(folder):
        return ()
    names = (decoded(name) for name in os.listdir(folder) if name == name.lower())
    return tuple(sorted(name for name in names if _can_be(name)))


def _can_be(name: str) -> bool:
    try:
        return bool(checked_name(name))
    except InvalidInput:
        return False


class ClusterFolder:
    """What is kept here of the cluster `name`; nothing is made until something is written."""

    def __init__(self, name: str) -> None:
        self.name = checked_name(name)
        self._root = state_folder()
        self.path = self._root / CLUSTERS / encoded(name)
        self._record = self.path / RECORD
        self._lock = self.path / LOCK

    def _parts(self) -> tuple[Path, ...]:
        return self._root, self.path.parent, self.path

    def exists(self) -> bool:
        """Return whether the folder is there; raise `InvalidInput` if it can't be trusted."""
        return all(check_folder(part) for part in self._parts())

    def record(self) -> Record | None:
        """Return the record, or None if there is none; raise `InvalidInput` if it is damaged."""
        if not self.exists():
            return None
        data = read_file(self._record, fix=remedy(self._record, self.name))
        return None if data is None else Record.from_json(data, self.name, self._record)

    def write_record(self, record: Record) -> None:
        """Replace the record; raise `InvalidInput` if it could not be read again."""
        data = record.to_json()
        if len(data) > FILE_LIMIT:
            raise InvalidInput(
                f"there is too much to keep of cluster '{self.name}'",
                cause=f"{len(data)} bytes, {FILE_LIMIT} at most",
                fix="have setup scripts fetch what is long",
            )
        write_file(self._record, data)

    def login_key(self) -> LoginKey | None:
        """Return the cluster's own login key, or None if it was never made, or is lost.

        Raises `InvalidInput` if it is damaged.
        """
        return login_key(self.path, self._comment) if self.exists() else None

    def make_login_key(self) -> LoginKey:
        """Return the cluster's own login key, made now if there is none."""
        return make_login_key(self.path, self._comment)

    @property
    def _comment(self) -> str:
        return f"tinycloud-{self.name}"

    def pinned(self, node_id: str) -> str | None:
        """Return the host key pinned for this machine, an OpenSSH public key line.

        Raises `InvalidInput` if it is damaged: half a key proves nothing.
        """
        path = self._pin(node_id)
        data = read_file(path)
        return None if data is None else _host_key(path, data)

    def pin(self, node_id: str, host_key: str) -> None:
        """Hold this machine to this host key from now on."""
        make_folder(self.path / PINS)
        write_file(self._pin(node_id), host_key.encode() + b"\n", durable=False)

    def unpin(self, node_id: str) -> None:
        """Forget the host key of a machine that is no more."""
        self._pin(node_id).unlink(missing_ok=True)

    def _pin(self, node_id: str) -> Path:
        return self.path / PINS / quote(node_id, safe="").replace(".", "%2E")  # "..", too

    def failed(self) -> tuple[str, ...]:
        """Return the names of the nodes that a command failed on last, as they were kept.

        Of a cluster of this name that was destroyed since, nothing is kept.
        Raises `InvalidInput` if the file is damaged.
        """
        record, path = self.record(), self.path / FAILED
        data = read_file(path) if record else None
        if record is None or data is None:
            return ()
        try:
            generation, names = data.decode("ascii").splitlines()
            found = expanded(names) if names else ()
        except (ValueError, InvalidInput) as error:
            remove = f"rm {shlex.quote(str(path))}"
            raise unusable(path, f"it is damaged: {error}", remove) from error
        return found if generation == record.generation else ()

    def keep_failed(self, names: Iterable[str]) -> None:
        """Keep the names of the nodes that a command failed on, if the cluster is known here."""
        record = self.record()
        if record is not None:
            text = f"{record.generation}\n{folded(names)}\n"
            write_file(self.path / FAILED, text.encode(), durable=False)

    def check_keys(self) -> None:
        """Raise `InvalidInput` if the login key or a pinned host key is damaged."""
        self.login_key()
        if self.exists() and check_folder(self.path / PINS):
            for path in sorted((self.path / PINS).iterdir()):
                if not path.name.startswith("."):  # half-written by somebody who was killed
                    _host_key(path, read_file(path) or b"")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and be the only process at work on it, or raise `ClusterBusy`."""
        with ExitStack() as held:
            self._take_lock(held)
            yield

    def _take_lock(self, held: ExitStack) -> None:
        cause = "others keep removing it"
        for _ in range(10):  # somebody may remove the folder while we make it
            for part in self._parts():
                make_folder(part)
            try:
                held.enter_context(locked(self._lock))
            except FileNotFoundError:
                continue
            except Locked as error:
                cause = f"process {error.pid or 'unknown'} is at work on it"
                break
            return
        raise ClusterBusy(
            f"cluster '{self.name}' is busy",
            cause=cause,
            fix="wait until that is done, or end it, and try again",
        )

    def remove(self) -> None:
        """Delete the folder with all it holds, the lock (which is ours) last."""
        try:
            shutil.rmtree(self.path / PINS, ignore_errors=True)
            for path in self.path.iterdir():
                if path != self._lock:
                    path.unlink()
            self._lock.unlink()
        except OSError as error:
            raise MachineError(
                f"can't remove {self.path}",
                cause=error.strerror or str(error),
                fix="remove the folder by hand",
            ) from error
        for part in reversed(self._parts()):
            with suppress(OSError):  # not empty: others have clusters too
                part.rmdir()


def _host_key(path: Path, data: bytes) -> str:
    """Return the host key line in a file, or raise `InvalidInput` if it is not a whole one."""
    try:
        line = data.decode("ascii")
        if not line.endswith("\n"):
            raise ValueError("it is cut short")
        check_public_key(line.strip())
    except ValueError as error:
        raise unusable(
            path,
            f"the pinned host key is damaged: {error}",
            f"rm {shlex.quote(str(path))}, if the driver knows the node's key (local does); "
            "or destroy the cluster and launch it again",
        ) from error
    return line.strip()
