"""Many small files as one tar stream: each member is made once, and sent to many nodes."""

import asyncio
import os
import tarfile
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from .tree import Changed, Entry, opened, shown

SMALL = 256 * 1024
"""Bytes of the largest file that goes into an archive."""

PIECE, PIECE_MEMBERS = 512 * 1024, 256
"""Bytes of files, and members, that are read and kept together."""

KEPT = 64
"""Pieces that are kept for the nodes that lag behind; who lags further has them made again."""

TOP = b"t/"
"""What all members are below."""

END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Members one after the other: where each begins in `data`, and why some are missing."""

    data: bytes
    places: tuple[tuple[int, int], ...]
    problems: dict[int, str]


class Archive:
    """A tar archive of entries, of which a node gets those members that it lacks.

    A tar archive is nothing but its members one after the other: so they are made
    once, whatever each node gets of them.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._starts = _starts(entries)
        self._pieces: OrderedDict[int, asyncio.Task[_Piece]] = OrderedDict()

    async def members(
        self, wanted: Sequence[int], problems: dict[int, str]
    ) -> AsyncIterator[tuple[bytes | memoryview, Collection[int]]]:
        """Yield the members with these indices, in order: bytes, and which ones they hold.

        What can't be read goes into `problems` instead.
        """
        begin = 0
        while begin < len(wanted):
            number = bisect_right(self._starts, wanted[begin]) - 1
            first, after = self._starts[number], self._starts[number + 1]
            end = begin
            while end < len(wanted) and wanted[end] < after:
                end += 1
            piece = await self._piece(number)
            for run in _runs(wanted[begin:end]):
                start, stop = piece.places[run[0] - first][0], piece.places[run[-1] - first][1]
                held = [i for i in run if i not in piece.problems]
                yield memoryview(piece.data)[start:stop], held
            missed = piece.problems.keys() & set(wanted[begin:end])
            problems.update((index, piece.problems[index]) for index in missed)
            begin = end

    async def _piece(self, number: int) -> _Piece:
        task = self._pieces.get(number)
        if task is None or task.cancelled():
            first, after = self._starts[number], self._starts[number + 1]
            made = asyncio.to_thread(_made, self._entries[first:after], first)
            task = self._pieces[number] = asyncio.ensure_future(made)
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            if len(self._pieces) > KEPT:
                self._pieces.popitem(last=False)
        self._pieces.move_to_end(number)
        # Others wait for it too: that one of them is cancelled is none of their business.
        return await asyncio.shield(task)


def _starts(entries: Sequence[Entry]) -> list[int]:
    """Return the index that each piece begins with, and what would be the next."""
    starts, size = [0], 0
    for index, entry in enumerate(entries):
        if index > starts[-1] and (
            size + entry.size > PIECE or index - starts[-1] == PIECE_MEMBERS
        ):
            starts.append(index)
            size = 0
        size += entry.size
    return [*starts, len(entries)]


def _runs(indices: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _made(entries: Sequence[Entry], first: int) -> _Piece:
    data = bytearray()
    places = []
    problems = {}
    for index, entry in enumerate(entries, first):
        start = len(data)
        try:
            data += folder_member(entry) if entry.is_folder else _file_member(entry)
        except Changed as problem:
            problems[index] = str(problem)
        except OSError as error:
            problems[index] = f"{shown(entry.source)} can't be read: {error.strerror}"
        places.append((start, len(data)))
    return _Piece(bytes(data), tuple(places), problems)


def folder_member(entry: Entry) -> bytes:
    """Return a folder as a member."""
    return _header(TOP + entry.path, entry.mode, entry.second, 0, tarfile.DIRTYPE)


def _file_member(entry: Entry) -> bytes:
    descriptor = opened(entry)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        content = file.read(SMALL + 1)
    if len(content) > SMALL:
        raise Changed(f"{shown(entry.source)} is growing")
    # It may have changed since it was looked at: what goes is what it is now.
    now = Entry.of(entry.path, entry.source, found)
    return member(TOP + now.path, content, mode=now.mode, second=now.second)


def member(path: bytes, content: bytes, *, mode: int, second: int = 0) -> bytes:
    """Return a file as a member."""
    header = _header(path, mode, second, len(content), tarfile.REGTYPE)
    return header + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def _header(path: bytes, mode: int, second: int, size: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(path.decode(errors="surrogateescape"))
    info.mode, info.mtime, info.size, info.type = mode, second, size, kind
    # GNU's way to write long names is the one that every tar can read, busybox's too.
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
