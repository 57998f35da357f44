"""A launch that is cut short never leaves a node that no command finds."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tinycloud.drivers.local import Local
from tinycloud.drivers.local.birth import fulfil
from tinycloud.drivers.local.folders import GroupFolder
from tinycloud.drivers.local.line import FORKER
from tinycloud.drivers.local.order import Order
from tinycloud.errors import ProviderError
from tinycloud.store.lock import locked

from .conftest import Spec
from .waiting import appears, eventually, gone

ORDER = Order(root="", cluster="a", tag="b", count=2, authorized_keys=(), ttl=None)
LAUNCH = """
import asyncio, sys
from tinycloud.drivers.local import Local
from tinycloud.group import GroupSpec
asyncio.run(Local().start(GroupSpec(cluster="voltron", tag="worker", count=40)))
"""


def _nodes(state: Path) -> set[int]:
    """Return the pids of all nodes that live below this folder."""
    found = set()
    for process in psutil.process_iter():
        try:
            if FORKER in process.cmdline() and process.cwd().startswith(str(state)):
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


def _own_forkers() -> list[psutil.Process]:
    """Return the forkers that this very process has started, without the nodes they fork."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended
            if FORKER in child.cmdline():
                found.append(child)
    return found


@pytest.fixture
def launch() -> "subprocess.Popen[bytes]":
    """A program that launches 40 nodes."""
    return subprocess.Popen([sys.executable, "-c", LAUNCH])


def _forker_of(client: "subprocess.Popen[bytes]") -> psutil.Process:
    children: list[psutil.Process] = []

    def found() -> bool:
        children.extend(psutil.Process(client.pid).children())
        return bool(children)

    eventually(found)
    return children[0]


@pytest.mark.parametrize("made", [None, 0, 33])
async def test_killed_client(
    clean: None, spec: Spec, state: Path, launch: "subprocess.Popen[bytes]", made: int | None
) -> None:
    """After a `kill -9` of the client, at any moment, each node that runs is in the list."""
    forker = _forker_of(launch)
    if made is not None:
        eventually((state / "local/voltron/worker" / str(made)).exists)
    launch.kill()
    launch.wait()
    eventually(lambda: not forker.is_running())
    listed = sum(node.status == "running" for node in await Local().list(spec()))
    eventually(lambda: len(_nodes(state)) == listed)
    await Local().destroy(spec())
    assert _nodes(state) == set()
    assert gone(state)


def test_client_dies_before_its_turn(state: Path) -> None:
    """A forker whose turn comes after its client has died makes nothing."""
    fulfil(replace(ORDER, root=str(state)), lambda: True)
    assert gone(state)


def test_client_dies_while_the_group_is_destroyed(state: Path) -> None:
    """A forker that waited for a `destroy`, and whose client has died meanwhile, makes nothing."""
    group = GroupFolder(state, ORDER.cluster, ORDER.tag)
    group.make()
    with ExitStack() as held:
        held.enter_context(locked(group.lock))
        asked = []

        def abandoned() -> bool:
            asked.append(group.lock.exists())
            if len(asked) == 1:
                group.remove_if_empty()
                held.close()
            return len(asked) > 1

        fulfil(replace(ORDER, root=str(state)), abandoned)
    assert asked[0]
    assert gone(state)


async def test_killed_forker(local: Local, spec: Spec, state: Path) -> None:
    """A forker that dies fails the launch, and what it had made is in the list."""
    launch = asyncio.ensure_future(local.start(spec(count=100)))
    await appears(state / "local/voltron/worker/40")
    (forker,) = _own_forkers()
    forker.kill()
    with pytest.raises(ProviderError, match="died"):
        await launch
    listed = sum(node.status == "running" for node in await local.list(spec()))
    assert listed
    eventually(lambda: len(_nodes(state)) == listed)
    assert len(await local.start(spec(count=3))) >= 3


async def test_cancelled_start(local: Local, spec: Spec, state: Path) -> None:
    """Once a cancelled start has returned, nothing more is forked."""
    launch = asyncio.ensure_future(local.start(spec(count=200)))
    await appears(state / "local/voltron/worker/40")
    launch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launch
    assert _own_forkers() == []
    listed = sum(node.status == "running" for node in await local.list(spec()))
    assert 0 < listed < 200
    eventually(lambda: len(_nodes(state)) == listed)


async def test_cancelled_neighbour(local: Local, spec: Spec, state: Path) -> None:
    """A start that waits for its turn survives the cancellation of the one before it."""
    doomed = asyncio.ensure_future(local.start(spec(count=200)))
    await appears(state / "local/voltron/worker/0")
    waiting = asyncio.ensure_future(local.start(spec(tag="other", count=2)))
    await asyncio.sleep(0)
    doomed.cancel()
    assert len(await waiting) == 2
    assert doomed.cancelled()


async def test_cancelled_destroy(local: Local, spec: Spec) -> None:
    """A cancelled `destroy` lets go of its lock, and the next one does the rest."""
    await local.start(spec(count=5))
    task = asyncio.ensure_future(local.destroy(spec()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await local.destroy(spec())
    assert await local.list(spec()) == ()
