"""Where the nodes live: `local/CLUSTER/TAG/INDEX/` in the state folder."""

import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from ...errors import InvalidInput
from ...store.folder import check_folder, encoded, make_folder, read_file, write_file
from .record import NodeRecord

LOCK, RECORD = "lock", "node.json"


class NodeFolder:
    """One node's folder; nothing is sure to be in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = int(path.name)

    @property
    def home(self) -> Path:
        """Where its sessions begin."""
        return self.path / "home"

    @property
    def host_key(self) -> Path:
        """Its private host key."""
        return self.path / "host_key"

    @property
    def authorized_keys(self) -> Path:
        """The public keys that may log in."""
        return self.path / "authorized_keys"

    @property
    def log(self) -> Path:
        """What went wrong in it, if anything did."""
        return self.path / "log"

    def record(self) -> NodeRecord | None:
        """Return what is known of the node: None if it is half-made, or the record damaged."""
        try:
            data = read_file(self.path / RECORD)
        except InvalidInput:  # it is not even a file
            return None
        return None if data is None else NodeRecord.from_json(data)

    def has_record(self) -> bool:
        """Return whether the node was ever complete, though its record may be damaged."""
        return os.path.lexists(self.path / RECORD)

    def write_record(self, record: NodeRecord) -> None:
        """Replace the record. Not durable: processes don't outlive the machine either."""
        write_file(self.path / RECORD, record.to_json(), durable=False)

    def remove(self) -> None:
        """Delete the folder with all it holds; raises `OSError` for what can't be deleted.

        The record goes first: cut off half-way, this leaves no node to be revived.
        """
        if self.path.is_dir() and not self.path.is_symlink():
            (self.path / RECORD).unlink(missing_ok=True)
        remove_tree(self.path)


class GroupFolder:
    """The folder of one group; nothing is made until `make`."""

    def __init__(self, root: Path, cluster: str, tag: str) -> None:
        self._root = root
        self.path = root / "local" / encoded(cluster) / encoded(tag)
        self.lock = self.path / LOCK

    def _parts(self) -> tuple[Path, ...]:
        return self._root, self.path.parent.parent, self.path.parent, self.path

    def exists(self) -> bool:
        """Return whether the folder is there; raise `InvalidInput` if it can't be trusted."""
        return all(check_folder(part) for part in self._parts())

    def make(self) -> None:
        """Make sure that the folder is there."""
        for part in self._parts():
            make_folder(part)

    def node(self, index: int) -> NodeFolder:
        """Return the folder of one node, which may not exist."""
        return NodeFolder(self.path / str(index))

    def nodes(self) -> tuple[NodeFolder, ...]:
        """Return the folders of all nodes, also half-made ones, by index."""
        if not self.exists():
            return ()
        with os.scandir(self.path) as entries:
            indices = [int(entry.name) for entry in entries if _is_node(entry)]
        return tuple(self.node(index) for index in sorted(indices))

    def remove_if_empty(self) -> None:
        """Delete the folder, its lock (which is ours) last, unless nodes are left in it."""
        if self.nodes():
            return
        for path in self.path.iterdir():
            if path != self.lock:
                remove_tree(path)
        self.lock.unlink(missing_ok=True)
        self.prune()

    def prune(self) -> None:
        """Delete the folder, and those it is in, as far as they are empty."""
        for part in reversed(self._parts()):
            with suppress(OSError):  # not empty: others have nodes too
                part.rmdir()


def _is_node(entry: "os.DirEntry[str]") -> bool:
    """Return whether this is a node's folder, by its name and kind."""
    named = re.fullmatch("0|[1-9][0-9]{0,8}", entry.name)
    return named is not None and entry.is_dir(follow_symlinks=False)


def remove_tree(path: Path) -> None:
    """Delete a file, or a folder with all it holds, read-only folders too."""
    try:
        _remove(path)
    except FileNotFoundError:
        return _remove(path) if path.exists() else None
    except PermissionError:
        with suppress(OSError):
            _open_up(path)
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _open_up(path: Path) -> None:
    os.chmod(path, stat.S_IRWXU)
    for folder, names, _ in os.walk(path):
        for inner in (os.path.join(folder, name) for name in names):
            if not os.path.islink(inner):  # it would change what the link points to
                os.chmod(inner, stat.S_IRWXU)
