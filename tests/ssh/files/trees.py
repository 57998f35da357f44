"""Trees of files to put and to get, and what there is to see of them."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from tinycloud.ssh.connection import Ending
from tinycloud.ssh.files.folder import opened
from tinycloud.ssh.files.get import Get
from tinycloud.ssh.files.progress import Progress
from tinycloud.ssh.files.put import Put
from tinycloud.ssh.files.shipment import shipment
from tinycloud.ssh.link import Link

OLD = 1_600_000_000
"""A time long ago: a file that old is not looked at twice."""

ODD = (
    b"plain",
    b"two words",
    b"-rf",
    b"'quoted' \"twice\"",
    b"back\\slash",
    b"$HOME `id` ;&|<>*?[x]{y}!#~",
    b"line\nbreak",
    b"tab\tand\x1b[31mescape",
    "\u00e4\u6f22\U0001f600\u202e".encode(),
    b"not \xff\xfe utf-8",
    b".hidden",
    b"..almost",
    b"x" * 255,
)
"""Names that files can have, and that programs get wrong."""


def write(folder: Path, files: Mapping[str | bytes, bytes], second: int = OLD) -> Path:
    """Write files below a folder; a name that ends in `/` is a folder of its own."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        if path.endswith(b"/"):
            os.makedirs(path, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (second, second))
    return folder


def seen(folder: Path) -> dict[bytes, object]:
    """Return all that is below a folder: content, permission bits and time of each file."""
    found: dict[bytes, object] = {}
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in [*folders, *files]:
            path = os.path.join(place, name)
            status = os.lstat(path)
            relative = os.path.relpath(path, os.fsencode(folder))
            if stat.S_ISDIR(status.st_mode):
                found[relative] = "folder"
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
                found[relative] = content, stat.S_IMODE(status.st_mode), int(status.st_mtime)
            else:
                found[relative] = stat.S_IFMT(status.st_mode), _target(path)
    return found


def _target(path: bytes) -> bytes:
    return os.readlink(path) if os.path.islink(path) else b""


def names(folder: Path) -> set[bytes]:
    """Return the paths of all that is below a folder."""
    return set(seen(folder))


class Told:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.last = Progress(node="")
        self.remarks: list[str] = []

    def __call__(self, progress: Progress) -> None:
        """Take note of progress."""
        self.last = progress
        if progress.remark is not None:
            self.remarks.append(progress.remark)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many files and bytes were moved, and how many files were unchanged."""
        return self.last.files, self.last.bytes, self.last.unchanged


async def put(link: Link, local: Path | list[Path], remote: str) -> tuple[Ending, Told]:
    """Put files over a connection."""
    told = Told()
    load = shipment(local if isinstance(local, list) else [local], remote)
    return await link.move(Put(load), told), told


async def get(link: Link, remote: str, local: Path) -> tuple[Ending, Told]:
    """Get files over a connection."""
    told = Told()
    with opened(local) as folder:
        return await link.move(Get(remote, folder), told), told
