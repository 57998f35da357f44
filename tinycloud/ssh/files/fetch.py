"""Read one file of a node over SFTP into a file here: as much as was announced, no more."""

import asyncio
from typing import cast

import asyncssh

from ...fanout import fan_out, to_the_end
from . import sftp, target
from .folder import Draft, Folder
from .listing import Thing
from .progress import Tally
from .trouble import Refused
from .windows import REQUESTS_PER_FILE, Windows

UNSAID = 1024 * 1024
"""Bytes taken of a file that is said to be empty, where files are and are not."""

_UNSAYING = (b"/proc/", b"/sys/")


async def fetch(
    session: sftp.Session, thing: Thing, folder: Folder, *, windows: Windows, tally: Tally
) -> None:
    """Get a file, which has its name here only once it is whole; raise `Refused`."""
    if thing.size > folder.room():
        name = target.shown(thing.path)
        raise Refused(f"can't get {name}: there is no room here for its {thing.size} bytes")
    async with windows.files:
        with Draft(folder, thing.parts[-1], thing.mode) as draft:
            opening = session.client.open(
                thing.path, asyncssh.FXF_READ, encoding=None, block_size=0
            )
            source = await session.answer(opening)
            try:
                copy = _Copy(session, source, draft, windows, tally)
                if thing.size:
                    await copy.announced(thing.size, sftp.read_block(session.client))
                elif thing.path.startswith(_UNSAYING):
                    await copy.unsaid()
            finally:
                await session.answer(source.close())
            draft.keep(thing.second)
    tally.arrived()


class _Copy:
    """Copies the content of a file."""

    def __init__(
        self,
        session: sftp.Session,
        source: asyncssh.SFTPClientFile,
        draft: Draft,
        windows: Windows,
        tally: Tally,
    ) -> None:
        self._session = session
        self._source = source
        self._draft = draft
        self._windows = windows
        self._tally = tally

    async def announced(self, size: int, block: int) -> None:
        """Copy so many bytes, with several requests under way."""
        offsets = iter(range(0, size, block))
        moved = 0

        async def some(_: int) -> None:
            nonlocal moved
            for offset in offsets:
                length = min(block, size - offset)
                async with self._windows.blocks:
                    await self._block(offset, length)
                moved += length
                self._tally.moved(length)

        try:
            if size <= block:
                await some(0)
            else:
                await fan_out(some, range(min(REQUESTS_PER_FILE, -(-size // block))))
        except BaseException:
            self._tally.moved(-moved)
            raise

    async def _block(self, offset: int, length: int) -> None:
        end = offset + length
        while offset < end:
            data = await self._read(end - offset, offset)
            if not data:
                raise Refused("it became shorter while it was read: get it again")
            # To the end: the descriptor must not be closed, and be another file's, under it.
            await to_the_end(asyncio.to_thread(self._draft.write, data, offset))
            offset += len(data)

    async def unsaid(self) -> None:
        """Copy all there is, within limits."""
        offset = 0
        while data := await self._read(sftp.SMALLEST_BLOCK, offset):
            self._draft.write(data, offset)
            offset += len(data)
            if offset > UNSAID:
                raise Refused("it was said to be empty, and goes on and on")

    async def _read(self, size: int, offset: int) -> bytes:
        data = cast(bytes, await self._session.answer(self._source.read(size, offset)))
        if len(data) > size:
            raise Refused("more came than was asked for")
        return data
