"""Processes, known by pid and time of birth: a pid may pass to a stranger."""

import asyncio
import functools
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass

import psutil

from .descriptor import readable

LOOK_AGAIN = 0.02
"""Seconds between two looks at a process, where the system can't tell us of its end."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine, dead or alive. `born` tells it from others with its pid."""

    pid: int
    born: str

    def alive(self) -> bool:
        """Return whether it lives; a zombie does not."""
        return birth(self.pid) == self.born

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to it, and never to a stranger; return whether it was there to take it."""
        handle = _handle(self.pid)
        try:
            if not self.alive():
                return False
            if handle is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            if handle is not None:
                os.close(handle)
        return True

    async def end(self, timeout: float) -> bool:
        """Wait until it has ended; return False if it still lives after `timeout` seconds."""
        handle = _handle(self.pid)
        try:
            async with asyncio.timeout(timeout):
                if handle is not None and self.alive():
                    await readable(handle)
                while self.alive():  # noqa: ASYNC110 - there is no event on macOS
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            return False
        finally:
            if handle is not None:
                os.close(handle)
        return True


def this_process(pid: int) -> Process | None:
    """Return the process that has this pid now, or None if there is none."""
    born = birth(pid)
    return None if born is None else Process(pid, born)


def birth(pid: int) -> str | None:
    """Return what tells this process from all that had or will have its pid; None if it is dead.

    On Linux that is in ticks since the boot, since psutil's moves with the clock.
    """
    if sys.platform == "linux":
        return _birth_on_linux(pid)
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None


def _birth_on_linux(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The second field, the program's name, may hold anything: see proc_pid_stat(5).
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return f"{_boot()}/{fields[19].decode()}"


@functools.cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:  # some sandboxes have none
        return ""


def _handle(pid: int) -> int | None:
    """Return a descriptor that means this process and no later one, where there is such a thing."""
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            return os.pidfd_open(pid)
    return None


def descendants(process: Process) -> tuple[Process, ...]:
    """Return all that descend from a living process."""
    try:
        found = psutil.Process(process.pid).children(recursive=True) if process.alive() else []
    except psutil.Error:
        return ()
    alive = (this_process(child.pid) for child in found)
    return tuple(child for child in alive if child is not None)
