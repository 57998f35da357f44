"""Write files to a node over SFTP: each beside its name, and then in its place."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

import asyncssh

from ...fanout import fan_out, to_the_end
from . import parts, target
from .progress import Tally
from .sftp import Session, write_block
from .survey import Found, Survey
from .tree import Changed, Entry, opened, shown
from .trouble import Refused
from .windows import FILES_PER_NODE, REQUESTS_PER_FILE, Windows
from .words import explained

PRIVATE = asyncssh.SFTPAttrs(permissions=0o600)

CLEANUP = 2.0
"""Seconds that a node has to remove what was cut short."""

_BROKEN = (asyncssh.Error, OSError, ValueError)
"""What a connection that fails raises; among them `TimeoutError`."""

FULL = 1024 * 1024
"""Bytes: a disk with less room than that is the reason why a file can't be written."""

QUESTIONS = 32
"""Questions about files under way at once."""


class Uploads:
    """Writes below one folder of one node."""

    def __init__(
        self,
        session: Session,
        connection: asyncssh.SSHClientConnection,
        root: bytes,
        *,
        windows: Windows,
        tally: Tally,
    ) -> None:
        self._client = session.client
        self._answer = session.answer
        self._connection = connection
        self._root = root
        self._windows = windows
        self._tally = tally
        self._begun: Mapping[bytes, int] = {}

    async def write(
        self, entries: Iterable[Entry], begun: Mapping[bytes, int] = MappingProxyType({})
    ) -> list[str]:
        """Make folders and write files; return what went wrong with some of them.

        `begun` says how many bytes of a file, by its path, are there already.
        """
        self._begun = begun
        files = []
        for entry in entries:
            if entry.is_folder:
                await self._make(self._path(entry), entry.mode)
            else:
                files.append(entry)
        return await self._each(files, self._write, FILES_PER_NODE)

    async def refresh(self, entries: Sequence[Entry]) -> list[str]:
        """Give files, whose content is right, the right mode and time."""

        async def refresh(entry: Entry) -> None:
            await self._answer(self._client.setstat(self._path(entry), attributes(entry)))

        return await self._each(entries, refresh, QUESTIONS)

    async def make_root(self, mode: int) -> None:
        """Make the folder, and those it is in, where they are missing."""
        missing = []
        path = self._root
        while path and not await self._is_folder(path):
            missing.append(path)
            path = target.parent(path)
        for path in reversed(missing):
            await self._make(path, mode if path == self._root else 0o755)

    async def survey(self, entries: Sequence[Entry]) -> Survey:
        """Return what there is of these entries."""
        found: dict[bytes, Found] = {}

        async def look(entry: Entry) -> None:
            with suppress(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                attrs = await self._answer(
                    self._client.stat(self._path(entry), follow_symlinks=entry.is_folder)
                )
                found[entry.path] = Found(attrs.size or 0, attrs.mtime or 0, attrs.permissions or 0)

        for problem in await self._each(entries, look, QUESTIONS):
            raise Refused(problem)
        return Survey(has_tar=False, found=found)

    def _path(self, entry: Entry) -> bytes:
        return target.joined(self._root, entry.path)

    async def _each(
        self, entries: Sequence[Entry], work: Callable[[Entry], Awaitable[None]], limit: int
    ) -> list[str]:
        """Do something for each, so many at a time; return what went wrong with some."""
        problems: list[str] = []
        waiting = iter(entries)

        async def some(_: int) -> None:
            for entry in waiting:
                try:
                    with explained(f"can't write {shown(entry.path)}", self._connection):
                        await work(entry)
                except Refused as refusal:
                    problems.append(str(refusal))

        await fan_out(some, range(min(limit, len(entries))))
        return problems

    async def _is_folder(self, path: bytes) -> bool:
        with explained(f"can't look at {shown(path)}", self._connection):
            return await self._answer(self._client.isdir(path))

    async def _make(self, path: bytes, mode: int) -> None:
        with explained(f"can't make the folder {shown(path)}", self._connection):
            try:
                await self._answer(self._client.mkdir(path, asyncssh.SFTPAttrs(permissions=mode)))
            except asyncssh.SFTPError:
                # Another node that shares this home may have been faster.
                if not await self._answer(self._client.isdir(path)):
                    raise

    async def _write(self, entry: Entry) -> None:
        """Write a file, which nobody sees under its name before it is whole."""
        path = self._path(entry)
        part = parts.part(self._root, entry, self._tally.node)
        try:
            await self._fill(entry, part)
            await self._put_in_place(part, path, entry)
        except BaseException as error:
            # The server may have nothing to say but that it failed; so ask, while it is so.
            full = isinstance(error, asyncssh.SFTPFailure) and await self._is_full(part)
            await to_the_end(self._discard(part))
            if isinstance(error, Changed):
                raise Refused(str(error)) from error
            if full:
                raise Refused(f"can't write {shown(entry.path)}: no space left") from error
            raise
        self._tally.arrived()

    async def _fill(self, entry: Entry, part: bytes) -> None:
        async with self._windows.files:
            descriptor = await asyncio.to_thread(opened, entry)
            try:
                # Not truncated: whoever else writes it at this moment writes the same into it.
                flags = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT
                file = await self._answer(
                    self._client.open(part, flags, PRIVATE, encoding=None, block_size=0)
                )
                await self._write_all(entry, descriptor, file)
            finally:
                os.close(descriptor)

    async def _write_all(
        self, entry: Entry, descriptor: int, file: asyncssh.SFTPClientFile
    ) -> None:
        try:
            await self._copy(entry, descriptor, file)
            _check_unchanged(entry, descriptor)
            await self._answer(file.setstat(attributes(entry)))
        except Exception:
            with suppress(*_BROKEN):
                async with asyncio.timeout(CLEANUP):
                    await self._answer(file.close())
            raise
        await self._answer(file.close())

    async def _copy(self, entry: Entry, descriptor: int, file: asyncssh.SFTPClientFile) -> None:
        block = write_block(self._client)
        begun = self._begun.get(entry.path, 0)
        offsets = iter(range(begun, entry.size, block))
        moved = 0

        async def some(_: int) -> None:
            nonlocal moved
            for offset in offsets:
                size = min(block, entry.size - offset)
                async with self._windows.blocks:
                    data = await asyncio.to_thread(os.pread, descriptor, size, offset)
                    if len(data) < size:
                        raise Changed(f"{shown(entry.source)} became shorter while it was sent")
                    await self._answer(file.write(data, offset))
                moved += size
                self._tally.moved(size)

        try:
            await fan_out(some, range(min(REQUESTS_PER_FILE, -(-(entry.size - begun) // block))))
        except BaseException:
            self._tally.moved(-moved)
            raise

    async def _put_in_place(self, part: bytes, path: bytes, entry: Entry) -> None:
        try:
            await self._answer(self._client.posix_rename(part, path))
        except asyncssh.SFTPOpUnsupported:
            # A server that can't replace: for a moment there is nothing of that name.
            with suppress(asyncssh.SFTPNoSuchFile):
                await self._answer(self._client.remove(path))
            await self._answer(self._client.rename(part, path))
        except asyncssh.SFTPNoSuchFile:
            # Somebody else who wrote the same into it was faster.
            found = await self._answer(self._client.stat(path))
            if (found.size, found.mtime) != (entry.size, entry.second):
                raise

    async def _is_full(self, path: bytes) -> bool:
        with suppress(asyncssh.SFTPError, ValueError):
            found = await self._answer(self._client.statvfs(target.parent(path) or b"/"))
            return found.bavail * found.bsize < FULL
        return False

    async def _discard(self, part: bytes) -> None:
        with suppress(*_BROKEN):
            async with asyncio.timeout(CLEANUP):
                await self._answer(self._client.remove(part))


def attributes(entry: Entry) -> asyncssh.SFTPAttrs:
    """Return what a node has to note of an entry beside its content."""
    return asyncssh.SFTPAttrs(permissions=entry.mode, atime=entry.second, mtime=entry.second)


def _check_unchanged(entry: Entry, descriptor: int) -> None:
    found = os.fstat(descriptor)
    if (found.st_size, found.st_mtime_ns) != (entry.size, entry.changed):
        raise Changed(f"{shown(entry.source)} changed while it was sent: put it again")
