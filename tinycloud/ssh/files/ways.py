"""By which way each file goes to a node."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .archive import SMALL
from .survey import Survey
from .target import parent
from .tree import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What goes into an archive, and what over SFTP, by index; folders before their content."""

    by_tar: tuple[int, ...]
    by_sftp: tuple[int, ...]


def ways(entries: Sequence[Entry], missing: Iterable[int], survey: Survey) -> Ways:
    """Return by which way each of the missing entries goes.

    Large files go over SFTP; so does everything where there is no tar, and what goes
    into a folder that is mounted there: nothing can be renamed into it from outside.
    """
    apart = _apart(entries, survey)
    by_tar, by_sftp = [], []
    for index in missing:
        entry = entries[index]
        fits = entry.is_folder or entry.size <= SMALL
        if survey.has_tar and fits and parent(entry.path) not in apart:
            by_tar.append(index)
        else:
            by_sftp.append(index)
    return Ways(by_tar=tuple(by_tar), by_sftp=tuple(by_sftp))


def _apart(entries: Sequence[Entry], survey: Survey) -> set[bytes]:
    """Return the folders that are on another device than the root, with those in them."""
    root = survey.found.get(b".")
    apart: set[bytes] = set()
    for entry in entries:
        if not entry.is_folder:
            continue
        there = survey.at(entry)
        if parent(entry.path) in apart or (there and root and there.device != root.device):
            apart.add(entry.path)
    return apart
