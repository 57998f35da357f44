"""What is to be put on nodes, and where: the same for all of them."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InvalidInput
from . import target
from .tree import Entry, read, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Files and folders that go below one folder of the node, the `root`.

    `entries` are in an order in which each folder comes before what is in it; `mode`
    is what `root` gets if it has to be made.
    """

    root: bytes
    mode: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """All that is to be put; `remarks` say what is left out, and why."""

    jobs: tuple[Job, ...]
    remarks: tuple[str, ...]


FOLDER_MODE = 0o755
"""What a folder gets that is made only to have something in it."""


def shipment(local: Sequence[str | Path], remote: str) -> Shipment:
    """Return what putting `local` to `remote` means; raise `InvalidInput` if it means nothing.

    If `remote` ends in `/` it is a folder, which each of `local` goes into under its
    own name; otherwise it is the name that a single one gets.
    """
    place = target.remote_path(remote)
    folder = target.is_folder(remote)
    sources = [_source(path) for path in local]
    if not sources:
        raise InvalidInput("nothing to put", fix="name a file or a folder")
    if len(sources) > 1 and not folder:
        raise InvalidInput(
            f"{len(sources)} things can't all be called {remote}", fix=f"put them into {remote}/"
        )
    remarks: list[str] = []
    paths = [(_joined(place, source) if folder else place, source) for source in sources]
    _check_different(path for path, _ in paths)
    found = [(path, tuple(read(b"", source, remarks.append))) for path, source in paths]
    files = [_renamed(path, entries[0]) for path, entries in found if not entries[0].is_folder]
    jobs = [_of_folder(path, entries) for path, entries in found if entries[0].is_folder]
    return Shipment(jobs=(*_of_files(files), *jobs), remarks=tuple(remarks))


def _source(path: str | Path) -> bytes:
    source = os.fsencode(path)
    if not source or b"\0" in source:
        raise InvalidInput(f"not a path: {str(path)[:80]!r}", fix="name a file or a folder")
    return source


def _joined(folder: bytes, source: bytes) -> bytes:
    name = os.path.basename(source.rstrip(b"/"))
    if name in (b"", b".", b".."):
        name = os.path.basename(os.path.realpath(source))
    if not name:
        raise InvalidInput(
            f"{shown(source)} has no name to be put under", fix="give a REMOTE without / at its end"
        )
    return target.joined(folder, name)


def _check_different(paths: Iterable[bytes]) -> None:
    seen: set[bytes] = set()
    for path in paths:
        if path in seen:
            raise InvalidInput(
                f"two things would both be {shown(path)}", fix="put one of them elsewhere"
            )
        seen.add(path)


def _renamed(path: bytes, entry: Entry) -> tuple[bytes, Entry]:
    """Return the folder that a file goes into, and the file under its name there."""
    root = target.parent(path) or b"/"
    return root, replace(entry, path=target.base(path))


def _of_files(files: Iterable[tuple[bytes, Entry]]) -> tuple[Job, ...]:
    by_root: dict[bytes, list[Entry]] = {}
    for root, entry in files:
        by_root.setdefault(root, []).append(entry)
    return tuple(
        Job(root=root, mode=FOLDER_MODE, entries=tuple(entries))
        for root, entries in by_root.items()
    )


def _of_folder(path: bytes, entries: tuple[Entry, ...]) -> Job:
    return Job(root=path, mode=entries[0].mode, entries=entries[1:])
