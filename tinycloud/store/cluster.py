"""One cluster's folder."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ..errors import ClusterBusy, MachineError
from ..group import checked_name
from .folder import check_folder, make_folder, read_file, state_folder, write_file
from .keys import LoginKey, login_key, make_login_key
from .lock import Locked, locked
from .record import Record


def known_clusters() -> tuple[str, ...]:
    """Return the names of all clusters with a folder here, sorted."""
    root = state_folder()
    if not check_folder(root) or not check_folder(root / "clusters"):
        return ()
    return tuple(sorted(path.name for path in (root / "clusters").iterdir()))


class ClusterFolder:
    """What is kept here of the cluster `name`; nothing is made until something is written."""

    def __init__(self, name: str) -> None:
        self.name = checked_name(name)
        self._root = state_folder()
        self.path = self._root / "clusters" / name

    def _parts(self) -> tuple[Path, ...]:
        return self._root, self.path.parent, self.path

    def exists(self) -> bool:
        """Return whether the folder is there; raise `InvalidInput` if it can't be trusted."""
        return all(check_folder(part) for part in self._parts())

    def record(self) -> Record | None:
        """Return the record, or None if there is none; raise `InvalidInput` if it is damaged."""
        data = read_file(self.path / "record.json") if self.exists() else None
        return None if data is None else Record.from_json(data, self.name)

    def write_record(self, record: Record) -> None:
        """Replace the record."""
        write_file(self.path / "record.json", record.to_json())

    def login_key(self) -> LoginKey | None:
        """Return the cluster's own login key, or None if it was never made, or is lost."""
        return login_key(self.path) if self.exists() else None

    def make_login_key(self) -> LoginKey:
        """Return the cluster's own login key, made now if there is none."""
        return make_login_key(self.path, f"tinycloud-{self.name}")

    def pinned(self, node_id: str) -> str | None:
        """Return the host key pinned for this machine, an OpenSSH public key line."""
        data = read_file(self._pin(node_id))
        return None if data is None else data.decode(errors="replace").strip()

    def pin(self, node_id: str, host_key: str) -> None:
        """Hold this machine to this host key from now on."""
        make_folder(self.path / "pins")
        write_file(self._pin(node_id), host_key.encode() + b"\n", durable=False)

    def unpin(self, node_id: str) -> None:
        """Forget the host key of a machine that is no more."""
        self._pin(node_id).unlink(missing_ok=True)

    def _pin(self, node_id: str) -> Path:
        return self.path / "pins" / quote(node_id, safe="")

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
                held.enter_context(locked(self.path / "lock"))
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
            shutil.rmtree(self.path / "pins", ignore_errors=True)
            for path in self.path.iterdir():
                if path.name != "lock":
                    path.unlink()
            (self.path / "lock").unlink()
        except OSError as error:
            raise MachineError(
                f"can't remove {self.path}",
                cause=error.strerror or str(error),
                fix="remove the folder by hand",
            ) from error
        for part in reversed(self._parts()):
            with suppress(OSError):  # not empty: others have clusters too
                part.rmdir()
