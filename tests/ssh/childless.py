"""What can only be tested in a process that has no other children; run as a program by name."""

import asyncio
import os
import signal
import sys

from tinycloud.ssh.server import Children, rehearse


def _started(command: str) -> int:
    return os.posix_spawn("/bin/sh", ["sh", "-c", command], {})


def _no_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


async def reaped() -> None:
    """Every child is reaped, and its exit status told to whoever waits for it."""
    with Children() as children:
        pid, _ = _started("exit 3"), _started("exit 4")
        assert os.waitstatus_to_exitcode(await children.exit_of(pid)) == 3
        while children.reap():
            await children.change(1)
        assert _no_children()
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL


async def unchanged() -> None:
    """Waiting for a change among no children ends after its time."""
    with Children() as children:
        await children.change(0.01)
        assert not children.reap()


def rehearsal() -> None:
    """A rehearsal leaves nothing behind: no child, no descriptor, no signal handler."""
    before = sorted(os.listdir("/dev/fd"))
    rehearse()
    assert sorted(os.listdir("/dev/fd")) == before
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    assert _no_children()


if __name__ == "__main__":
    if sys.argv[1] == "rehearsal":
        rehearsal()
    else:
        asyncio.run({"reaped": reaped, "unchanged": unchanged}[sys.argv[1]]())
