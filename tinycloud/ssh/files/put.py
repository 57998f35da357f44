"""Put files on one node: find out what it lacks, send that, and have it in its place."""

import time
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator, Sequence

import asyncssh

from ...result import State
from ..channels import Channels
from ..connection import Ending
from . import feed, script, sftp
from .archive import END, Archive, member
from .hashing import Hashes
from .parts import leftovers, part
from .place import script as placing
from .progress import Tally
from .shipment import Job, Shipment
from .survey import Survey, asked, hashes, lacks, parsed
from .tree import Entry
from .trouble import Lost, Refused
from .upload import Uploads
from .ways import Ways, ways
from .windows import Windows
from .words import complaint, explained

BATCH, BATCH_MEMBERS = 256 * 1024 * 1024, 10_000
"""Bytes, and files, that a node unpacks before it puts them in their places."""

FED = 64 * 1024
"""Bytes that are handed to a channel at once."""


class Put:
    """Puts one shipment on many nodes, each of which may lack something else."""

    def __init__(self, shipment: Shipment) -> None:
        self.jobs = shipment.jobs
        self.windows = Windows()
        self.hashes = Hashes()
        self.archives = [Archive(job.entries) for job in shipment.jobs]

    async def on(
        self, connection: asyncssh.SSHClientConnection, channels: Channels, tally: Tally
    ) -> Ending:
        """Put everything on the node at the other end; return how that went."""
        problems: list[str] = []
        try:
            for job, archive in zip(self.jobs, self.archives, strict=True):
                there = _There(self, job, archive, connection, channels, tally)
                problems += await there.put()
        except Refused as refusal:
            problems.append(str(refusal))
        except Lost as loss:
            return Ending(state=State.LOST, error=str(loss))
        return ending(problems)


def ending(problems: Sequence[str]) -> Ending:
    """Return how a transfer ended that met these problems."""
    if not problems:
        return Ending(state=State.OK)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Ending(state=State.FAILED, error=problems[0] + more)


class _There:
    """One job on one node."""

    def __init__(
        self,
        put: Put,
        job: Job,
        archive: Archive,
        connection: asyncssh.SSHClientConnection,
        channels: Channels,
        tally: Tally,
    ) -> None:
        self._put = put
        self._job = job
        self._root = job.root
        self._archive = archive
        self._connection = connection
        self._channels = channels
        self._tally = tally

    async def put(self) -> list[str]:
        """Do what there is to do; return the problems that left the rest unharmed."""
        survey = await self._survey()
        if survey is None:
            return await self._without_shell()
        # SFTP may have another idea of where a path begins.
        self._root = survey.root or self._root
        lack = lacks(self._job.entries, survey)
        if lack.conflicts:
            return list(lack.conflicts)
        same = await self._the_same(lack.doubtful)
        missing = sorted({*lack.missing, *lack.doubtful} - same)
        refreshed = [self._job.entries[i] for i in (*lack.modes, *sorted(same))]
        self._tally.unchanged(lack.unchanged + len(same))
        found = ways(self._job.entries, missing, survey)
        self._expect(missing)
        problems = []
        if survey.has_tar:
            problems = await self._unpack(found, survey, refreshed)
            refreshed = []
        if found.by_sftp or refreshed:
            problems += await self._upload(found.by_sftp, refreshed)
        return problems

    def _expect(self, missing: Iterable[int]) -> None:
        files = [e for e in map(self._job.entries.__getitem__, missing) if not e.is_folder]
        self._tally.expect(len(files), sum(entry.size for entry in files))

    async def _survey(self) -> Survey | None:
        """Return what the node has; None if it runs no scripts for us."""
        names = asked(self._job.entries)
        answer = await self._ask(script.SURVEY, names, "can't look at what it has")
        if answer.status == script.REFUSED:
            raise Refused(complaint(answer.stderr))
        return parsed(answer.stdout, time.time())

    async def _the_same(self, doubtful: Collection[int]) -> set[int]:
        """Return those that the node has with the very same content."""
        entries = self._job.entries
        nameable = [index for index in doubtful if b"\n" not in entries[index].path]
        if not nameable:
            return set()
        names = asked(entries[index] for index in nameable).removeprefix(b".\0")
        answer = await self._ask(script.HASHES, names, "can't compare with what it has")
        theirs = hashes(answer.stdout, len(nameable))
        ours = [await self._put.hashes.of(entries[index]) for index in nameable[: len(theirs)]]
        return {i for i, a, b in zip(nameable, ours, theirs, strict=False) if a == b}

    async def _ask(self, line: str, names: bytes, what: str) -> feed.Answer:
        words = script.words(self._job.root, self._job.mode, names)
        with explained(what, self._connection):
            async with self._channels.turn():
                return await feed.asked(self._channels, line, words)

    async def _unpack(self, found: Ways, survey: Survey, refreshed: Sequence[Entry]) -> list[str]:
        """Send what goes by tar, in batches, and have it unpacked; return what went wrong."""
        problems: list[str] = []
        entries = self._job.entries
        existing = {e.path for e in entries if e.is_folder and survey.has_folder(e)}
        for batch in _batches(self._job.entries, found.by_tar) or ([[]] if refreshed else []):
            stream = self._stream(batch, existing, refreshed, problems)
            with explained("can't send", self._connection):
                async with self._channels.turn():
                    answer = await feed.fed(self._channels, script.UNPACK, stream)
            if answer.status != 0:
                raise Refused(complaint(answer.stderr))
            unpacked = [entries[index] for index in batch]
            self._tally.arrived(sum(not entry.is_folder for entry in unpacked))
            existing |= {entry.path for entry in unpacked if entry.is_folder}
            refreshed = ()
        return problems

    async def _stream(
        self,
        batch: Sequence[int],
        existing: Collection[bytes],
        refreshed: Sequence[Entry],
        problems: list[str],
    ) -> AsyncGenerator[bytes | memoryview, None]:
        """Yield what `script.UNPACK` is fed."""
        entries = self._job.entries
        missed: dict[int, str] = {}
        yield script.archive_head(self._job.root)
        async for data, held in self._archive.members(batch, missed):
            for begin in range(0, len(data), FED):
                yield data[begin : begin + FED]
            self._tally.moved(sum(entries[index].size for index in held))
        problems += missed.values()
        moved = (entries[index] for index in batch if index not in missed)
        yield member(script.PLACE, placing(moved, existing, refreshed), mode=0o600)
        yield END

    async def _upload(self, indices: Iterable[int], refreshed: Sequence[Entry]) -> list[str]:
        entries = [self._job.entries[index] for index in indices]
        begun = await self._begun([entry for entry in entries if not entry.is_folder])
        async with sftp.session(self._connection, self._channels) as session:
            uploads = self._uploads(session)
            return [*await uploads.write(entries, begun), *await uploads.refresh(refreshed)]

    async def _begun(self, files: Sequence[Entry]) -> dict[bytes, int]:
        """Return how much of files, by their paths, is left of an earlier transfer."""
        by_part = {part(self._root, file, self._tally.node): file for file in files}
        if not by_part:
            return {}
        names = b"".join(path + b"\0" for path in by_part)
        answer = await self._ask(script.LEFTOVERS, names, "can't look for what was begun")
        begun = {}
        for path, (size, theirs) in leftovers(answer.stdout, by_part).items():
            file = by_part[path]
            if await self._put.hashes.of_beginning(file, size) == theirs:
                begun[file.path] = size
                self._tally.expect(0, -size)
        return begun

    async def _without_shell(self) -> list[str]:
        """Do all over SFTP: there is nothing else."""
        async with sftp.session(self._connection, self._channels) as session:
            uploads = self._uploads(session)
            await uploads.make_root(self._job.mode)
            lack = lacks(self._job.entries, await uploads.survey(self._job.entries))
            if lack.conflicts:
                return list(lack.conflicts)
            missing = sorted((*lack.missing, *lack.doubtful))
            self._tally.unchanged(lack.unchanged)
            self._expect(missing)
            problems = await uploads.write([self._job.entries[index] for index in missing])
            modes = [self._job.entries[index] for index in lack.modes]
            return [*problems, *await uploads.refresh(modes)]

    def _uploads(self, session: sftp.Session) -> Uploads:
        return Uploads(
            session,
            self._connection,
            self._root,
            windows=self._put.windows,
            tally=self._tally,
        )


def _batches(entries: Sequence[Entry], indices: Iterable[int]) -> list[list[int]]:
    return list(_cut(entries, indices))


def _cut(entries: Sequence[Entry], indices: Iterable[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for index in indices:
        if batch and (size + entries[index].size > BATCH or len(batch) == BATCH_MEMBERS):
            yield batch
            batch, size = [], 0
        batch.append(index)
        size += entries[index].size
    if batch:
        yield batch
