"""What a node says that is in its folders: nothing of it is taken for granted."""

import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self, cast

import asyncssh

from . import sftp, target
from .folder import is_plain
from .tree import kind

NAMES, DEPTH = 1_000_000, 100
"""Names that a node may list in all, and folders that it may put into one another."""

PAGE = 500
"""Names that are dealt with before more are read."""

REMARKS = 10
"""Remarks about one node that are passed on one by one."""


class Endless(Exception):
    """The node's files are more than anybody can have: no more of them are taken."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A file or folder as the node describes it: `path` there, `parts` of its path here."""

    path: bytes
    parts: tuple[bytes, ...]
    size: int
    mode: int
    second: int

    @classmethod
    def of(cls, path: bytes, parts: tuple[bytes, ...], attrs: asyncssh.SFTPAttrs) -> Self:
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


class Listing:
    """Lists folders of one node; counts the names, and remarks on what is passed over."""

    def __init__(self, remark: Callable[[str], None], problems: list[str]) -> None:
        self._remark = remark
        self._problems = problems
        self._names = 0
        self._passed_over = 0

    async def pages(
        self, session: sftp.Session, folder: Thing
    ) -> AsyncGenerator[list[Thing], None]:
        """Yield the files and folders in a folder, so many at a time."""
        page: list[Thing] = []
        entries = cast(AsyncGenerator[asyncssh.SFTPName, None], session.client.scandir(folder.path))
        async with aclosing(entries):
            while (entry := await session.answer(_next(entries))) is not None:
                thing = self._acceptable(folder, entry)
                page += [thing] if thing else []
                if len(page) == PAGE:
                    yield page
                    page = []
        yield page

    def _acceptable(self, folder: Thing, entry: asyncssh.SFTPName) -> Thing | None:
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
        thing = Thing.of(path, (*folder.parts, name), entry.attrs)
        if not (thing.is_folder or thing.is_file):
            self._pass_over(f"{target.shown(path)}: {kind(thing.mode)}")
            return None
        if len(thing.parts) > DEPTH:
            raise Endless(f"there are more than {DEPTH} folders in one another")
        return thing

    def _pass_over(self, what: str) -> None:
        self._passed_over += 1
        if self._passed_over <= REMARKS:
            self._remark(f"passed over {what}")

    def conclude(self) -> None:
        """Remark on all that was passed over without a remark of its own."""
        if self._passed_over > REMARKS:
            self._remark(f"passed over {self._passed_over - REMARKS} more")


async def _next(entries: AsyncIterator[asyncssh.SFTPName]) -> asyncssh.SFTPName | None:
    return await anext(entries, None)
