"""Processes, known by pid and birth."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tinycloud.drivers.local.process import Process, birth, descendants, this_process


@pytest.fixture
def sleeper() -> Iterator[Process]:
    """A process that sleeps, with a child that does too."""
    with subprocess.Popen(["sh", "-c", "sleep 1000 & echo; wait"], stdout=-1) as child:
        assert child.stdout
        child.stdout.readline()
        process = this_process(child.pid)
        assert process
        yield process
        for descendant in descendants(process):
            descendant.send(signal.SIGKILL)
        child.kill()


async def test_alive(sleeper: Process) -> None:
    """A process lives until it has ended, and takes signals as long."""
    assert sleeper.alive()
    assert not await sleeper.end(0.01)
    assert sleeper.send(signal.SIGKILL)
    assert await sleeper.end(10)
    assert not sleeper.alive()
    assert not sleeper.send(signal.SIGKILL)


async def test_stranger(sleeper: Process) -> None:
    """A process with the same pid, born at another time, is dead and deaf."""
    stranger = Process(sleeper.pid, "another boot/1")
    assert not stranger.alive()
    assert not stranger.send(signal.SIGKILL)
    assert await stranger.end(10)
    assert descendants(stranger) == ()
    assert sleeper.alive()


def test_zombie(sleeper: Process) -> None:
    """A zombie is dead."""
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert birth(sleeper.pid) is None
    assert this_process(sleeper.pid) is None


def test_descendants(sleeper: Process) -> None:
    """Descendants are found while their ancestor lives."""
    (child,) = descendants(sleeper)
    assert child.alive()


async def test_without_pidfd(sleeper: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it works where the system has no descriptors of processes."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert not await sleeper.end(0.05)
    assert sleeper.send(signal.SIGKILL)
    assert await sleeper.end(10)


def test_birth_elsewhere(sleeper: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no /proc, psutil knows when a process was born."""
    monkeypatch.setattr("sys.platform", "darwin")
    assert birth(os.getpid()) == birth(os.getpid()) != birth(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert birth(sleeper.pid) is None
