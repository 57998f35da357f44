"""A large file whose way is cut in the middle; no name ever holds half of it."""

import filecmp
import os
import time
from pathlib import Path

import pytest
from cli.running import PATIENCE, run, started

from .conftest import Rack

MB = 1_000_000
OLD = b"old"


THOROUGHLY = (pytest.mark.exhaustive, pytest.mark.timeout(600))


@pytest.fixture(params=[100, pytest.param(1000, marks=THOROUGHLY)], ids="{} MB".format)
def large(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A large file, which is different everywhere."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        for _ in range(request.param):
            file.write(os.urandom(MB))
    return path


def await_half(folder: Path, size: int) -> None:
    """Wait until half of a file has arrived in a folder."""
    deadline = time.monotonic() + PATIENCE
    while not any(part.stat().st_size > size // 2 for part in folder.glob(".tinycloud-part-*")):
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("before", [None, OLD], ids=["new", "old"])
def test_cut_in_the_middle(own: Rack, large: Path, before: bytes | None) -> None:
    """The name holds the old content or none; the next run completes it."""
    assert own.launch().code == 0
    size = large.stat().st_size
    folder = own.server.home(own.user) / "there"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    there = folder / "large"
    if before is not None:
        there.write_bytes(before)
        there.chmod(0o666)
    with started("put", "rack", "master", str(large), "there/") as process:
        await_half(folder, size)
        own.server.stop()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5
    assert errors.splitlines()[-1] == "1 node: 1 lost"
    assert (there.read_bytes() if there.exists() else None) == before
    own.server.start()
    done = run("put", "rack", "master", str(large), "there/")
    assert done.code == 0, done.err
    assert filecmp.cmp(there, large, shallow=False)
    assert sorted(path.name for path in folder.iterdir()) == ["large"]
