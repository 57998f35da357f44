"""Transfers cut in the middle: no name ever holds half a file, and the next run mends it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from openssh import OpenSSH

from tinycloud.result import State
from tinycloud.ssh.connection import Ending
from tinycloud.ssh.files.progress import Progress
from tinycloud.ssh.files.put import Put
from tinycloud.ssh.files.shipment import shipment
from tinycloud.ssh.link import Link

from ..client import connected, until
from ..relay import Listener, listening, relay
from .trees import OLD, names, put, seen, write

MB = 1024 * 1024
SIZE = 48 * MB


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large file that is different everywhere."""
    path = tmp_path_factory.mktemp("big") / "big"
    with path.open("wb") as file:
        for _ in range(SIZE // MB):
            file.write(os.urandom(MB))
    os.utime(path, (OLD, OLD))
    return path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of the node, of this test alone."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@asynccontextmanager
async def over_a_wire(sshd: OpenSSH) -> AsyncIterator[tuple[Link, Listener]]:
    """Have a connection over a wire that can be cut."""
    async with (
        listening(relay(sshd.port)) as wire,
        connected(sshd, node=replace(sshd.node(), port=wire.port)) as link,
    ):
        yield link, wire


async def put_until(
    link: Link, local: Path, remote: str, size: int, then: "asyncio.Event"
) -> "asyncio.Task[Ending]":
    """Begin to put, and return once so many bytes have been moved."""

    def report(progress: Progress) -> None:
        if progress.bytes >= size:
            then.set()

    task = asyncio.ensure_future(link.move(Put(shipment([local], remote)), report))
    await then.wait()
    return task


async def test_a_cut_link(sshd: OpenSSH, big: Path, there: Path) -> None:
    """A large file cut in the middle has not got its name; the next run goes on with it."""
    async with over_a_wire(sshd) as (link, wire):
        task = await put_until(link, big, f"{there}/", SIZE // 2, asyncio.Event())
        wire.cut()
        ending = await task
    assert ending.state is State.LOST
    assert "the connection was lost" in (ending.error or "")
    (left,) = names(there)
    assert left.startswith(b".tinycloud-part-")
    await until(lambda: sshd.running() == [])
    async with connected(sshd) as link:
        ending, told = await put(link, big, f"{there}/")
    assert ending.error is None
    assert 0 < told.last.bytes < SIZE - 8 * MB
    assert seen(there) == seen(big.parent)


async def test_the_old_content_stays(sshd: OpenSSH, big: Path, there: Path) -> None:
    """A name that held something holds that until all of the new content is there."""
    write(there, {"big": b"old"})
    async with over_a_wire(sshd) as (link, wire):
        task = await put_until(link, big, f"{there}/", SIZE // 2, asyncio.Event())
        wire.cut()
        await task
    assert (there / "big").read_bytes() == b"old"
    async with connected(sshd) as link:
        await put(link, big, f"{there}/")
    assert seen(there) == seen(big.parent)


async def test_what_is_left_of_another_version_goes(
    sshd: OpenSSH, there: Path, tmp_path: Path
) -> None:
    """What a cut transfer left is removed if the file has changed since; others' is not."""
    source = write(tmp_path / "source", {"big": bytes(SIZE)}) / "big"
    async with over_a_wire(sshd) as (link, wire):
        task = await put_until(link, source, f"{there}/", SIZE // 2, asyncio.Event())
        wire.cut()
        await task
    assert len(names(there)) == 1
    write(there, {".tinycloud-part-0123456789abcdef-0123456789abcdef": b"somebody else's"})
    write(source.parent, {"big": b"new" * MB})
    async with connected(sshd) as link:
        ending, told = await put(link, source, f"{there}/")
    assert (ending.error, told.last.bytes) == (None, 3 * MB)
    assert names(there) == {b"big", b".tinycloud-part-0123456789abcdef-0123456789abcdef"}
    assert (there / "big").read_bytes() == b"new" * MB


async def test_what_is_left_is_not_trusted(sshd: OpenSSH, big: Path, there: Path) -> None:
    """Where what is left has other content, after a crash of the node, all is sent again."""
    async with over_a_wire(sshd) as (link, wire):
        task = await put_until(link, big, f"{there}/", SIZE // 2, asyncio.Event())
        wire.cut()
        await task
    (left,) = names(there)
    descriptor = os.open(os.path.join(os.fsencode(there), left), os.O_WRONLY)
    os.pwrite(descriptor, bytes(MB), MB)
    os.close(descriptor)
    async with connected(sshd) as link:
        _, told = await put(link, big, f"{there}/")
    assert told.last.bytes == SIZE
    assert seen(there) == seen(big.parent)


async def test_cancelled(sshd: OpenSSH, big: Path, there: Path) -> None:
    """A transfer that is cancelled leaves nothing of a large file, and no process."""
    async with connected(sshd) as link:
        task = await put_until(link, big, f"{there}/", SIZE // 4, asyncio.Event())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names(there) == set()
        await until(lambda: sshd.running() == [])
        ending, _ = await put(link, big, f"{there}/")
    assert ending.error is None
    assert seen(there) == seen(big.parent)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Many small files."""
    return write(tmp_path / "many", {f"{i % 9}/{i}": os.urandom(50_000) for i in range(400)})


@pytest.mark.parametrize("how", ["cut", "cancelled", "killed"])
async def test_small_files_cut_short(sshd: OpenSSH, many: Path, there: Path, how: str) -> None:
    """Small files cut short in whatever way leave nothing behind: no file, folder or process."""
    write(there / "many", {"0/0": b"old"})
    async with over_a_wire(sshd) as (link, wire):
        task = await put_until(link, many, f"{there}/", 400 * 50_000 // 3, asyncio.Event())
        if how == "cut":
            wire.cut()
        elif how == "cancelled":
            task.cancel()
        else:
            (tar,) = (process for process in sshd.processes() if process.name() == "tar")
            tar.kill()
        await asyncio.wait([task])
        assert task.cancelled() == (how == "cancelled")
        if how == "killed":
            assert task.result().state is State.FAILED
        await until(lambda: sshd.running() == [])
        assert seen(there)[b"many/0/0"] == (b"old", 0o644, OLD)
        assert names(there) == {b"many", b"many/0", b"many/0/0"}
    async with connected(sshd) as link:
        ending, _ = await put(link, many, f"{there}/")
    assert ending.error is None
    assert seen(there / "many") == seen(many)
