"""The command line killed at any change it makes: nothing is lost, and all can be mended."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import mortal
import pytest
from clusters import files, homes, local, node_processes

from tinycloud import Status
from tinycloud.cli.clusters import known

NAME = "voltron"
POINTS = 5
"""Changes at which launch is killed in a normal run, and as many at which destroy is."""

PATIENCE = 10.0
"""Seconds in which a node that was only just born is found, or ends."""

Killed = Callable[..., Awaitable[int]]


@pytest.fixture(autouse=True)
def _nothing_left(state: Path) -> Iterator[None]:
    """No process, file or folder may be left of a test, and none stays if one is."""
    yield
    left, kept = node_processes(), files()
    for process in left:
        process.kill()
    assert left == []
    assert kept == []
    assert not state.exists()


def tinycloud(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line."""
    command = [sys.executable, "-m", "tinycloud", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def killed(at: int, tmp_path: Path, *words: str) -> int:
    """Run the command line, killed at its Nth change; return 0, or how many there were in all."""
    count = tmp_path / "changes"
    count.write_text("0")
    done = subprocess.run(
        [sys.executable, mortal.__file__, str(at), str(count), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    total = int(count.read_text())
    assert done.returncode == (0 if total else -signal.SIGKILL), done.stderr
    return total


def alive() -> set[str]:
    """Return the names of the nodes whose processes live."""
    return {f"{home.parent.parent.name}-{home.parent.name}" for home in homes().values()}


async def check_found() -> None:
    """Check that each node that lives is found by what is recorded, or by default.

    One that is not written down yet, because its forker is, or was, at it, soon is found
    or ends.
    """
    async with asyncio.timeout(PATIENCE):
        while not alive() <= {node.name for node in await known(NAME).list()}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def launch() -> None:
    """Launch the cluster to the end, and see that it is whole."""
    cloud = local(1)
    await cloud.launch()
    assert await cloud.status() == {"master-0": Status.RUNNING, "worker-0": Status.RUNNING}


async def mend(*, launching: bool) -> None:
    """Launch again, and destroy; or destroy at once. Nothing may be left of either."""
    await check_found()
    if launching:
        await launch()
        assert (await local(1).execute("true")).ok
        await local(1).destroy()
    else:
        done = tinycloud("destroy", NAME)
        assert done.returncode in (0, 3), done.stderr
    assert (node_processes(), files()) == ([], [])


async def launch_killed(point: int, tmp_path: Path, *, launching: bool) -> int:
    """Kill a launch at its Nth change, and mend what comes of it; return 0 if it was killed."""
    total = killed(point, tmp_path, "launch", NAME, "-n", "1")
    await mend(launching=launching)
    return total


async def destroy_killed(point: int, tmp_path: Path, *, launching: bool) -> int:
    """Kill the destruction of a cluster in the same way."""
    await launch()
    total = killed(point, tmp_path, "destroy", NAME)
    await mend(launching=launching)
    return total


KILLED = pytest.mark.parametrize("kill", [launch_killed, destroy_killed])


@KILLED
async def test_killed_at_some_changes_all_can_be_mended(kill: Killed, tmp_path: Path) -> None:
    """Afterwards `launch` completes the cluster, or `destroy` leaves nothing."""
    total = await kill(sys.maxsize, tmp_path, launching=False)
    assert total > 20
    for number in range(POINTS):
        point = 1 + total * number // POINTS
        assert await kill(point, tmp_path, launching=number % 2 == 0) == 0


@KILLED
@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("launching", [False, True])
async def test_killed_at_any_change_all_can_be_mended(
    kill: Killed, launching: bool, tmp_path: Path
) -> None:
    """It is so for every single change, and for both ways of mending."""
    for point in itertools.count(1):
        if await kill(point, tmp_path, launching=launching):
            break


@pytest.mark.parametrize("made", [1, 4])
def test_killed_while_nodes_are_made_all_can_be_mended(made: int) -> None:
    """Killed when some of many nodes live, launch leaves no node that is not found."""
    words = [sys.executable, "-m", "tinycloud", "launch", NAME, "-n", "7"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(files("node.json")) < made:
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    asyncio.run(check_found())
    assert tinycloud("destroy", NAME).returncode == 0
