"""What a node leaves behind: nothing, however it ends."""

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tinycloud.drivers.local import Local
from tinycloud.node import Status

from .conftest import Connect, Spec
from .openssh import OpenSSH
from .waiting import eventually, gone

SETSID = "setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1'"
DAEMONS = f"""
sleep 1000 >/dev/null 2>&1 & echo $!
nohup sleep 1000 >/dev/null 2>&1 & echo $!
{SETSID} &
sh -c 'trap "" HUP INT TERM; echo $$; exec >/dev/null 2>&1; while :; do sleep 1; done' &
sh -c 'echo $$; exec >/dev/null 2>&1; kill -STOP $$' &
sh -c "sh -c 'sleep 1000 >/dev/null 2>&1 & echo \\$!' &"
"""
"""Starts six processes that mean to stay, in as many ways, and prints their pids."""


def _start_all(ssh: OpenSSH) -> set[int]:
    """Start a process of each kind on the node; return their pids."""
    pids = set(map(int, ssh.output(DAEMONS).split()))
    assert len(pids) == 6
    assert all(psutil.pid_exists(pid) for pid in pids)
    return pids


def _pid(state: Path) -> int:
    record = json.loads((state / "local/voltron/worker/0/node.json").read_bytes())
    return int(record["pid"])


@pytest.mark.parametrize("verb", ["stop", "destroy"])
async def test_end_of_a_node(local: Local, spec: Spec, connect: Connect, verb: str) -> None:
    """`stop` and `destroy` end all that the node's sessions have started."""
    (node,) = await local.start(spec())
    pids = _start_all(connect(node))
    await getattr(local, verb)(spec())
    assert not any(map(_lives, pids))


@pytest.mark.parametrize("verb", ["stop", "destroy", "start", "discard"])
async def test_after_a_kill(
    local: Local, spec: Spec, connect: Connect, state: Path, verb: str
) -> None:
    """What a killed node could not end is ended by the next verb."""
    (node,) = await local.start(spec())
    pids = _start_all(connect(node))
    os.kill(_pid(state), signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(_pid(state)))
    assert all(psutil.pid_exists(pid) for pid in pids)
    arguments = [[0]] if verb == "discard" else []
    await getattr(local, verb)(spec(), *arguments)
    assert not any(map(_lives, pids))


def _lives(pid: int) -> bool:
    """Return whether a process lives; init may take its time with a dead one."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_only_its_own(local: Local, spec: Spec, connect: Connect) -> None:
    """The end of one node leaves its neighbour's processes alone."""
    one, two = await local.start(spec(count=2))
    command = SETSID + " &"
    doomed, spared = int(connect(one).output(command)), int(connect(two).output(command))
    await local.discard(spec(), [0])
    assert (psutil.pid_exists(doomed), psutil.pid_exists(spared)) == (False, True)


async def test_frozen_node(local: Local, spec: Spec, connect: Connect, state: Path) -> None:
    """A node that was stopped by a signal is ended in order, and soon."""
    (node,) = await local.start(spec())
    pid = int(connect(node).output(SETSID + " &"))
    os.kill(_pid(state), signal.SIGSTOP)
    begun = time.monotonic()
    await local.destroy(spec())
    assert time.monotonic() - begun < 5
    assert not psutil.pid_exists(pid)


async def test_deaf_node(
    local: Local, spec: Spec, connect: Connect, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that does not end itself in time is killed, with all that it has started."""
    monkeypatch.setattr("tinycloud.drivers.local.ending.GRACE", 0.2)
    monkeypatch.setattr("tinycloud.drivers.local.ending.signal.SIGTERM", signal.SIGCONT)
    (node,) = await local.start(spec())
    pid = int(connect(node).output(SETSID + " &"))
    await local.destroy(spec())
    assert not _lives(pid)


async def test_terminated_from_outside(local: Local, spec: Spec, state: Path) -> None:
    """A node that somebody tells to end does so in order, and shows as stopped."""
    await local.start(spec())
    os.kill(_pid(state), signal.SIGTERM)
    record = state / "local/voltron/worker/0/node.json"
    eventually(lambda: json.loads(record.read_bytes())["pid"] is None)
    assert await local.status(spec()) == (Status.STOPPED,)


async def test_client_is_told(local: Local, spec: Spec, connect: Connect) -> None:
    """Who waits for a command on a node that stops is told what became of it."""
    (node,) = await local.start(spec())
    with connect(node).start("-v", "echo on; exec sleep 1000") as client:
        assert client.stdout
        assert client.stdout.readline() == b"on\n"
        await local.stop(spec())
        _, errors = client.communicate()
    assert b"exit-signal" in errors


async def test_time_to_live(local: Local, spec: Spec, connect: Connect, state: Path) -> None:
    """A node whose time is over ends all that runs on it, and leaves nothing."""
    (node,) = await local.start(spec(ttl=2.0))
    pid = int(connect(node).output(SETSID + " &"))
    eventually(lambda: gone(state))
    assert not psutil.pid_exists(pid)
    assert await local.list(spec()) == ()


async def test_time_runs_on_while_stopped(local: Local, spec: Spec, state: Path) -> None:
    """A stopped node whose time is over is no more; `start` makes another in its place."""
    (node,) = await local.start(spec(ttl=1.0))
    await local.stop(spec())
    path = state / "local/voltron/worker/0/node.json"
    record = json.loads(path.read_bytes())
    assert record["deadline"] - record["launched_at"] == pytest.approx(1.0)
    path.write_text(json.dumps(record | {"deadline": time.time() - 1}))
    assert await local.list(spec()) == ()
    (another,) = await local.start(spec())
    assert another.id != node.id


async def test_time_is_kept_by_a_restart(local: Local, spec: Spec, state: Path) -> None:
    """The time to live counts from the launch, whatever is stopped and started since."""
    await local.start(spec(ttl=1000.0))
    path = state / "local/voltron/worker/0/node.json"
    deadline = json.loads(path.read_bytes())["deadline"]
    await local.stop(spec())
    await local.start(spec(ttl=5.0))
    assert json.loads(path.read_bytes())["deadline"] == deadline
