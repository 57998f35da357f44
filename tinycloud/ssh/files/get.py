"""Get files from one node, which is trusted with nothing but their content."""

import asyncio
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import cast

import asyncssh

from ...fanout import fan_out, to_the_end
from ...result import State
from ..channels import Channels
from ..connection import Ending
from . import sftp, target
from .folder import FOLDER_BITS, Draft, Folder, is_plain
from .progress import Tally
from .put import ending
from .survey import DOUBT
from .tree import kind, shown
from .trouble import Lost, Refused
from .windows import FILES_PER_NODE, FOLDERS_PER_NODE, REQUESTS_PER_FILE, Windows
from .words import explained

NAMES, DEPTH = 1_000_000, 100
"""Names that a node may list in all, and folders that it may put into one another."""

PAGE = 500
"""Names that are dealt with before more are read."""

PATIENCE = 60.0
"""Seconds without a further name until a listing is taken for one that never ends."""

UNSAID = 1024 * 1024
"""Bytes taken of a file that is said to be empty: those in /proc are, and are not."""

REMARKS = 10
"""Remarks about one node that are passed on one by one."""


@dataclass(frozen=True, slots=True)
class _Thing:
    """A file or folder as the node describes it: `path` there, `parts` of the path here."""

    path: bytes
    parts: tuple[bytes, ...]
    size: int
    mode: int
    second: int

    @classmethod
    def of(cls, path: bytes, parts: tuple[bytes, ...], attrs: asyncssh.SFTPAttrs) -> "_Thing":
        """Return the thing with these attributes."""
        return cls(path, parts, attrs.size or 0, attrs.permissions or 0, attrs.mtime or 0)

    @property
    def is_folder(self) -> bool:
        """Whether the node says that it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether the node says that it is a regular file."""
        return stat.S_ISREG(self.mode)


class Get:
    """Gets the same path from many nodes, each into a folder of its own name in `into`."""

    def __init__(self, remote: str, into: Folder) -> None:
        self.path = target.remote_path(remote)
        self.only_folder = remote.endswith("/")
        self.into = into
        self.windows = Windows()

    async def on(
        self, connection: asyncssh.SSHClientConnection, channels: Channels, tally: Tally
    ) -> Ending:
        """Get everything from the node at the other end; return how that went."""
        problems: list[str] = []
        try:
            async with sftp.session(connection, channels) as client:
                await _From(self, connection, client, tally, problems).get()
        except (Refused, Endless) as refusal:
            problems.append(str(refusal))
        except Lost as loss:
            return Ending(state=State.LOST, error=str(loss))
        return ending(problems)


class Endless(Exception):
    """The node's files are more than anybody can have: no more of them are taken."""


class _From:
    """What is got from one node; `problems` are those that do no harm to the rest."""

    def __init__(
        self,
        get: Get,
        connection: asyncssh.SSHClientConnection,
        client: asyncssh.SFTPClient,
        tally: Tally,
        problems: list[str],
    ) -> None:
        self._get = get
        self._connection = connection
        self._client = client
        self._tally = tally
        self._problems = problems
        self._names = 0
        self._remarks = 0

    async def get(self) -> None:
        """Get what was asked for: a file, or a folder with all that is in it."""
        path = self._get.path
        name = target.base(path)
        with explained(f"can't get {shown(path)}", self._connection):
            # What was asked for may be a link: where it leads is the node's own matter.
            attrs = await self._client.stat(path)
        asked = _Thing.of(path, (self._tally.node.encode(), *([name] if name else [])), attrs)
        if asked.is_folder:
            await self._tree(asked)
        elif asked.is_file and name and not self._get.only_folder:
            self._tally.expect(1, asked.size)
            with self._reach(asked.parts[:-1]) as folder:
                await self._each([asked], folder)
        else:
            is_file = "no folder" if asked.is_file else kind(asked.mode)
            raise Refused(f"can't get {shown(path)}: it is {is_file}")
        self._conclude()

    async def _tree(self, asked: _Thing) -> None:
        waiting = [asked]
        while waiting:
            some = [waiting.pop() for _ in range(min(FOLDERS_PER_NODE, len(waiting)))]
            for inner in await fan_out(self._folder, some):
                waiting += inner

    async def _folder(self, thing: _Thing) -> list[_Thing]:
        """Get the files in a folder; return the folders in it."""
        inner: list[_Thing] = []
        try:
            async with self._get.windows.folders:
                with self._reach(thing.parts, thing.mode) as folder:
                    folder.tidy()
                    with explained(f"can't read {shown(thing.path)}", self._connection):
                        async with aclosing(self._pages(thing)) as pages:
                            async for page in pages:
                                inner += [found for found in page if found.is_folder]
                                await self._files(page, folder)
        except Refused as refusal:
            self._problems.append(str(refusal))
        return inner

    def _reach(self, parts: Sequence[bytes], mode: int = FOLDER_BITS) -> Folder:
        """Open the folder that these names lead to; make what is missing on the way."""
        with ExitStack() as way:
            folder = self._get.into
            for part in parts[:-1]:
                folder = way.enter_context(folder.enter(part))
            return folder.enter(parts[-1], mode)

    async def _pages(self, folder: _Thing) -> AsyncGenerator[list[_Thing], None]:
        """Yield what is in a folder, so many things at a time."""
        page: list[_Thing] = []
        entries = cast(AsyncGenerator[asyncssh.SFTPName, None], self._client.scandir(folder.path))
        async with aclosing(entries):
            while (entry := await _next(entries)) is not None:
                thing = self._acceptable(folder, entry)
                page += [thing] if thing else []
                if len(page) == PAGE:
                    yield page
                    page = []
        yield page

    def _acceptable(self, folder: _Thing, entry: asyncssh.SFTPName) -> _Thing | None:
        """Return what an entry of a folder stands for, if it is something that we take."""
        name = cast(bytes, entry.filename)
        if name in (b".", b".."):
            return None
        self._names += 1
        if self._names > NAMES:
            raise Endless(f"it lists more than {NAMES} names: no more are taken")
        if not is_plain(name):
            self._problems.append(f"it lists a name that nothing can have: {name[:80]!r}")
            return None
        path = target.joined(folder.path, name)
        thing = _Thing.of(path, (*folder.parts, name), entry.attrs)
        if not (thing.is_folder or thing.is_file):
            self._pass_over(f"{shown(path)}: {kind(thing.mode)}")
            return None
        if len(thing.parts) > DEPTH:
            raise Endless(f"more than {DEPTH} folders in one another: {shown(path)[:80]}...")
        return thing

    async def _files(self, page: Sequence[_Thing], folder: Folder) -> None:
        files = [thing for thing in page if thing.is_file]
        lacking = []
        for file in files:
            if _is_surely_the_same(file, folder):
                self._tally.unchanged()
            else:
                lacking.append(file)
        self._tally.expect(len(lacking), sum(file.size for file in lacking))
        await self._each(lacking, folder)

    async def _each(self, files: Sequence[_Thing], folder: Folder) -> None:
        waiting = iter(files)

        async def some(_: int) -> None:
            for file in waiting:
                try:
                    with explained(f"can't get {shown(file.path)}", self._connection):
                        await self._file(file, folder)
                except Refused as refusal:
                    self._problems.append(str(refusal))

        await fan_out(some, range(min(FILES_PER_NODE, len(files))))

    async def _file(self, file: _Thing, folder: Folder) -> None:
        """Get a file, which has its name only once it is whole."""
        if file.size > folder.room():
            raise Refused(f"can't get {shown(file.path)}: no room here for {file.size} bytes")
        async with self._get.windows.files:
            with Draft(folder, file.parts[-1], file.mode) as draft:
                async with await self._client.open(
                    file.path, asyncssh.FXF_READ, encoding=None, block_size=0
                ) as source:
                    if file.size:
                        await self._copy(file, source, draft)
                    else:
                        await self._copy_unsaid(source, draft)
                draft.keep(file.second)
        self._tally.arrived()

    async def _copy(self, file: _Thing, source: asyncssh.SFTPClientFile, draft: Draft) -> None:
        """Get as much as was announced, and no more."""
        block = sftp.read_block(self._client)
        offsets = iter(range(0, file.size, block))
        moved = 0

        async def some(_: int) -> None:
            nonlocal moved
            for offset in offsets:
                size = min(block, file.size - offset)
                async with self._get.windows.blocks:
                    await _copy_block(source, draft, offset, size)
                moved += size
                self._tally.moved(size)

        try:
            await fan_out(some, range(min(REQUESTS_PER_FILE, -(-file.size // block))))
        except BaseException:
            self._tally.moved(-moved)
            raise

    async def _copy_unsaid(self, source: asyncssh.SFTPClientFile, draft: Draft) -> None:
        offset = 0
        while data := await _read(source, sftp.SMALLEST_BLOCK, offset):
            draft.write(data, offset)
            offset += len(data)
            if offset > UNSAID:
                raise Refused("it was said to be empty, and goes on and on")

    def _pass_over(self, what: str) -> None:
        self._remarks += 1
        if self._remarks <= REMARKS:
            self._tally.remark(f"passed over {what}")

    def _conclude(self) -> None:
        if self._remarks > REMARKS:
            self._tally.remark(f"passed over {self._remarks - REMARKS} more")


async def _copy_block(
    source: asyncssh.SFTPClientFile, draft: Draft, offset: int, size: int
) -> None:
    end = offset + size
    while offset < end:
        data = await _read(source, end - offset, offset)
        if not data:
            raise Refused("it became shorter while it was read: get it again")
        # To the end: the descriptor must not be closed, and be another file's, under it.
        await to_the_end(asyncio.to_thread(draft.write, data, offset))
        offset += len(data)


async def _read(source: asyncssh.SFTPClientFile, size: int, offset: int) -> bytes:
    data = cast(bytes, await source.read(size, offset))
    if len(data) > size:
        raise Refused("more came than was asked for")
    return data


async def _next(entries: AsyncIterator[asyncssh.SFTPName]) -> asyncssh.SFTPName | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await anext(entries, None)
    except TimeoutError:
        raise Refused(f"the listing did not go on for {PATIENCE:g} s") from None


def _is_surely_the_same(file: _Thing, folder: Folder) -> bool:
    """Return whether we have the file: of the same size and time, and not too fresh to tell."""
    here = folder.look(file.parts[-1])
    return (
        here is not None
        and stat.S_ISREG(here.st_mode)
        and (here.st_size, int(here.st_mtime)) == (file.size, file.second)
        and file.second + DOUBT < here.st_ctime
    )
