"""Places on nodes that have something about them: full, mounted, shared."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from openssh import OpenSSH, openssh

from tinycloud.result import State
from tinycloud.ssh.files.put import Put
from tinycloud.ssh.files.shipment import shipment

from ..client import connected
from .conftest import Mount
from .trees import Told, names, put, seen, write

KB, MB = 1024, 1024 * 1024


@contextmanager
def started(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """Have a server that was started now, and so sees what has been mounted by now."""
    with openssh(program("sshd")) as server:
        yield server


async def test_no_space_for_small_files(
    program: Callable[[str], str], mounted: Mount, tmp_path: Path
) -> None:
    """On a full disk the error says so; nothing has changed there, and nothing is left."""
    full = mounted("there", "size=2m")
    write(full, {"source/small/0": b"old"})
    before = seen(full)
    source = write(tmp_path / "source", {f"small/{i}": b"x" * 100 * KB for i in range(40)})
    with started(program) as server:
        async with connected(server) as link:
            ending, _ = await put(link, source, f"{full}/")
        assert server.running() == []
    assert ending.state is State.FAILED
    assert "No space left on device" in (ending.error or "")
    assert seen(full) == before


async def test_no_space_for_a_large_file(
    program: Callable[[str], str], mounted: Mount, tmp_path: Path
) -> None:
    """A large file that does not fit fails and says why; the old one stays, others arrive."""
    full = mounted("there", "size=4m")
    write(full, {"source/large": b"old"})
    source = write(tmp_path / "source", {"large": b"x" * 9 * MB, "fits": b"y" * 400 * KB})
    with started(program) as server:
        async with connected(server) as link:
            ending, _ = await put(link, source, f"{full}/")
    assert ending.error == "can't write large: no space left"
    assert (full / "source" / "large").read_bytes() == b"old"
    assert names(full) == {b"source", b"source/large", b"source/fits"}


async def test_read_only(program: Callable[[str], str], mounted: Mount, tmp_path: Path) -> None:
    """Where nothing can be written the error says so."""
    locked = mounted("there", "ro")
    source = write(tmp_path / "source", {"small": b"x", "large": b"x" * 400 * KB})
    with started(program) as server:
        async with connected(server) as link:
            endings = [(await put(link, s, f"{locked}/"))[0] for s in (source, source / "large")]
    assert all(ending.state is State.FAILED for ending in endings)
    assert "ead-only file system" in (endings[0].error or "")
    assert (endings[1].error or "").startswith("can't write large: ")


async def test_a_mounted_folder(
    program: Callable[[str], str], mounted: Mount, tmp_path: Path
) -> None:
    """What goes into a folder that is mounted below the target gets there whole, or not at all."""
    there = tmp_path / "there"
    mounted("there/app/data", "size=9m")
    source = write(
        tmp_path / "app", {"code": b"x", "data/one": b"1", "data/in/two": b"2", "data/in/er/": b""}
    )
    with started(program) as server:
        async with connected(server) as link:
            for _ in range(2):
                ending, told = await put(link, source, f"{there}/")
                assert ending.error is None
    assert told.counts == (0, 0, 3)
    assert seen(there / "app") == seen(source)


async def test_nodes_that_share_a_home(sshd: OpenSSH, tmp_path: Path) -> None:
    """Eight nodes with one home take the same files at once, and all is well."""
    there = tmp_path / "there"
    content: dict[str | bytes, bytes] = {f"d{i % 7}/{i}": os.urandom(3000) for i in range(60)}
    source = write(tmp_path / "source", {**content, "big": os.urandom(3 * MB), "d1/.hid": b"x"})
    async with AsyncExitStack() as stack:
        nodes = [replace(sshd.node(), index=index) for index in range(8)]
        links = [await stack.enter_async_context(connected(sshd, node=node)) for node in nodes]
        for remote in (f"{there}/", f"{there}/app"):
            transfer = Put(shipment([source], remote))
            endings = await asyncio.gather(*(link.move(transfer, Told()) for link in links))
            assert [ending.error for ending in endings] == [None] * 8
    assert seen(there / "source") == seen(source)
    assert {path.split(b"/")[0] for path in names(there)} >= {b"source", b"app"}
    assert not [name for name in names(there) if b".tinycloud" in name]
