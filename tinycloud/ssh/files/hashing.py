"""The hashes of our files, each of which is read once for all nodes."""

import asyncio
import hashlib

from .tree import Changed, Entry, opened

CHUNK = 1024 * 1024


class Hashes:
    """SHA-256 of files, as hexadecimal digits; of one that can't be read, nothing."""

    def __init__(self) -> None:
        self._made: dict[bytes, asyncio.Task[bytes]] = {}

    async def of(self, entry: Entry) -> bytes:
        """Return the hash of the file's content now, or when it was first asked for."""
        task = self._made.get(entry.source)
        if task is None or task.cancelled():
            work = asyncio.to_thread(_hash, entry)
            task = self._made[entry.source] = asyncio.ensure_future(work)
        return await asyncio.shield(task)

    async def of_beginning(self, entry: Entry, size: int) -> bytes:
        """Return the hash of the first bytes of the file."""
        return await asyncio.to_thread(_hash_beginning, entry, size)


def _hash_beginning(entry: Entry, size: int) -> bytes:
    try:
        descriptor = opened(entry)
    except Changed:
        return b""
    hashed = hashlib.sha256()
    with open(descriptor, "rb") as file:
        while size and (data := file.read(min(size, CHUNK))):
            hashed.update(data)
            size -= len(data)
    return hashed.hexdigest().encode()


def _hash(entry: Entry) -> bytes:
    try:
        descriptor = opened(entry)
    except Changed:
        return b""
    with open(descriptor, "rb") as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest().encode()
        except OSError:
            return b""
