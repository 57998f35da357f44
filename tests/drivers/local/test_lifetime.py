"""How long a node lives."""

import asyncio
import time
from pathlib import Path

import pytest

from tinycloud.drivers.local import lifetime
from tinycloud.drivers.local.folders import NodeFolder


@pytest.fixture
def folder(tmp_path: Path) -> NodeFolder:
    """A node's folder."""
    (tmp_path / "0").mkdir()
    return NodeFolder(tmp_path / "0")


async def test_told(folder: NodeFolder) -> None:
    """A node that is told to stop ends before its time."""
    told = asyncio.Event()
    asyncio.get_running_loop().call_soon(told.set)
    assert not await lifetime.the_end(folder, time.time() + 1000, told)


async def test_time_is_over(folder: NodeFolder) -> None:
    """A node ends when its time is over, not before."""
    deadline = time.time() + 0.05
    assert await lifetime.the_end(folder, deadline, asyncio.Event())
    assert time.time() >= deadline


@pytest.mark.parametrize("again", [False, True])
async def test_folder_is_gone(
    folder: NodeFolder, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """A node whose folder was deleted ends, also if there is another in its place."""
    monkeypatch.setattr(lifetime, "LOOK_AROUND", 0.01)

    def delete() -> None:
        folder.path.rename(folder.path.with_name("moved"))
        if again:
            folder.path.mkdir()

    asyncio.get_running_loop().call_soon(delete)
    assert not await lifetime.the_end(folder, None, asyncio.Event())
