"""Get files from one node, which is trusted with nothing but their content."""

import stat
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, aclosing, suppress

import asyncssh

from ...fanout import fan_out
from ...result import State
from ..channels import Channels
from ..connection import Ending
from . import feed, script, sftp, target
from .archive import SMALL
from .fetch import fetch
from .folder import FOLDER_BITS, Draft, Folder
from .listing import Endless, Listing, Thing
from .progress import Tally
from .put import ending
from .survey import DOUBT
from .tree import kind
from .trouble import Lost, Refused
from .unpack import LONGEST_NAME, Garbled, Unpacker
from .windows import FILES_PER_NODE, FOLDERS_PER_NODE, Windows
from .words import explained

FEW, BATCH = 8, 10_000
"""Small files that are fetched one by one, and those that are fetched as one stream."""


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
            await _From(self, connection, channels, tally, problems).get()
        except (Refused, Endless) as refusal:
            problems.append(str(refusal))
        except Lost as loss:
            return Ending(state=State.LOST, error=str(loss))
        return ending(problems)


class _From:
    """What is got from one node; `problems` are those that do no harm to the rest."""

    def __init__(
        self,
        get: Get,
        connection: asyncssh.SSHClientConnection,
        channels: Channels,
        tally: Tally,
        problems: list[str],
    ) -> None:
        self._get = get
        self._connection = connection
        self._channels = channels
        self._tally = tally
        self._problems = problems
        self._listing = Listing(tally.remark, problems)
        self._root = b""

    async def get(self) -> None:
        """Get what was asked for: a file, or a folder with all that is in it.

        Folders are read, and large files fetched, over SFTP; small files come as one
        stream, and what did not come so is fetched over SFTP after all. One channel is
        open at a time: transfers that wait for one another's would wait for ever.
        """
        waiting: list[Thing] = []
        left: list[Thing] = []
        async with sftp.session(self._connection, self._channels) as session:
            asked = await self._asked(session)
            (waiting if asked.is_folder else left).append(asked)
            self._tally.expect(len(left), sum(thing.size for thing in left))
        while waiting or left:
            async with sftp.session(self._connection, self._channels) as session:
                await self._each(session, left)
                small = await self._walk(session, waiting)
            left = await self._stream(small)
        self._listing.conclude()

    async def _asked(self, session: sftp.Session) -> Thing:
        """Return the one thing that was asked for."""
        path = self._get.path
        name = target.base(path)
        with explained(f"can't get {target.shown(path)}", self._connection):
            # It may be a link: where that leads is the node's own matter.
            attrs = await session.answer(session.client.stat(path))
            self._root = await session.answer(session.client.realpath(path))
        asked = Thing.of(path, (self._tally.node.encode(), *([name] if name else [])), attrs)
        if asked.is_folder or (asked.is_file and name and not self._get.only_folder):
            return asked
        what = "no folder" if asked.is_file else kind(asked.mode)
        raise Refused(f"can't get {target.shown(path)}: it is {what}")

    async def _walk(self, session: sftp.Session, waiting: list[Thing]) -> list[Thing]:
        """Read folders, and fetch what is large in them; return what is small.

        Ends when there is enough of it; what is still `waiting` then is for the next time.
        """
        small: list[Thing] = []

        async def read(folder: Thing) -> list[Thing]:
            async with self._get.windows.folders:
                return await self._folder(session, folder, small)

        while waiting and len(small) < BATCH:
            some = [waiting.pop() for _ in range(min(FOLDERS_PER_NODE, len(waiting)))]
            for inner in await fan_out(read, some):
                waiting += inner
        if len(small) > FEW:
            return small
        await self._each(session, small)
        return []

    async def _folder(self, session: sftp.Session, thing: Thing, small: list[Thing]) -> list[Thing]:
        """Deal with what is in a folder; return the folders in it."""
        inner: list[Thing] = []
        try:
            with (
                explained(f"can't read {target.shown(thing.path)}", self._connection),
                self._reach(thing.parts, thing.mode) as folder,
            ):
                folder.tidy()
                async with aclosing(self._listing.pages(session, thing)) as pages:
                    async for page in pages:
                        inner += [found for found in page if found.is_folder]
                        lacking = self._lacking(page, folder)
                        small += [file for file in lacking if file.size <= SMALL]
                        await self._each(session, [f for f in lacking if f.size > SMALL])
        except Refused as refusal:
            self._problems.append(str(refusal))
        return inner

    def _lacking(self, page: Iterable[Thing], folder: Folder) -> list[Thing]:
        lacking = []
        for file in (thing for thing in page if thing.is_file):
            try:
                if not _is_surely_the_same(file, folder):
                    lacking.append(file)
                else:
                    self._tally.unchanged()
            except Refused as refusal:  # no file can be called so here
                self._problems.append(str(refusal))
        self._tally.expect(len(lacking), sum(file.size for file in lacking))
        return lacking

    def _reach(self, parts: Sequence[bytes], mode: int = FOLDER_BITS) -> Folder:
        """Open the folder that these names lead to; make what is missing on the way."""
        with ExitStack() as way:
            folder = self._get.into
            for part in parts[:-1]:
                folder = way.enter_context(folder.enter(part))
            return folder.enter(parts[-1], mode)

    async def _each(self, session: sftp.Session, files: Sequence[Thing]) -> None:
        """Fetch files over SFTP, some at a time."""
        waiting = iter(files)

        async def some(_: int) -> None:
            for file in waiting:
                try:
                    with (
                        explained(f"can't get {target.shown(file.path)}", self._connection),
                        self._reach(file.parts[:-1]) as folder,
                    ):
                        await fetch(
                            session, file, folder, windows=self._get.windows, tally=self._tally
                        )
                except Refused as refusal:
                    self._problems.append(str(refusal))

        await fan_out(some, range(min(FILES_PER_NODE, len(files))))

    async def _stream(self, small: Sequence[Thing]) -> list[Thing]:
        """Fetch small files as one stream; return those that did not come with it."""
        if not small:
            return []
        below = len(target.joined(self._get.path, b""))
        wanted = {
            thing.path[below:]: thing
            for thing in small
            if len(thing.path) - below <= LONGEST_NAME and b"\n" not in thing.path
        }
        announced = sum(thing.size for thing in wanted.values())
        unpacker = Unpacker(wanted, announced, self._keep)
        names = b"".join(b"./%s\0" % path for path in wanted)
        words = script.words(self._root, FOLDER_BITS, names)
        with explained("can't get files", self._connection):
            async with self._channels.turn():
                with suppress(Garbled):
                    await feed.asked(self._channels, script.PACK, words, sink=unpacker.feed)
        came = wanted.keys() - unpacker.missing.keys()
        return [thing for thing in small if thing.path[below:] not in came]

    def _keep(self, thing: Thing, content: bytes) -> None:
        try:
            with (
                self._reach(thing.parts[:-1]) as folder,
                Draft(folder, thing.parts[-1], thing.mode) as draft,
            ):
                draft.write(content, 0)
                draft.keep(thing.second)
        except Refused as refusal:
            self._problems.append(str(refusal))
        else:
            self._tally.moved(thing.size)
            self._tally.arrived()


def _is_surely_the_same(file: Thing, folder: Folder) -> bool:
    """Return whether we have the file: of the same size and time, and not too fresh to tell."""
    here = folder.look(file.parts[-1])
    return (
        here is not None
        and stat.S_ISREG(here.st_mode)
        and (here.st_size, int(here.st_mtime)) == (file.size, file.second)
        and file.second + DOUBT < here.st_ctime
    )
