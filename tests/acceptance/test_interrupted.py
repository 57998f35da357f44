"""Nothing goes on running on 50 nodes when a command is given up, in whatever way."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from cli.running import PATIENCE, PROGRAM, Cli, Terminal, started

from .conftest import Rack

COUNT = 50
# Two processes each: a shell that waits, and what it waits for.
PLAIN = "sleep 1000; echo after"
DEAF = "trap '' TERM HUP INT; sh -c 'sleep 1000; echo after'; echo after"
DAEMON = "nohup setsid sleep 5000 >/dev/null 2>&1 &"
WITHIN = 5


@dataclass
class Watch:
    """What runs on the machines."""

    rack: Rack

    def counts(self) -> Counter[str]:
        """Count what runs there by its command line."""
        return Counter(self.rack.server.running())

    def begun(self) -> None:
        """Wait until the command runs on all nodes."""
        deadline = time.monotonic() + PATIENCE
        while self.counts()["sleep 1000"] < COUNT:
            assert time.monotonic() < deadline, self.counts()
            time.sleep(0.05)

    def over(self, within: float = WITHIN) -> None:
        """See the end of all but the daemons, in time."""
        deadline = time.monotonic() + within
        while (left := self.counts()).keys() != {"sleep 5000"}:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        assert left["sleep 5000"] == COUNT


@pytest.fixture(params=["user", "root"])
def watch(request: pytest.FixtureRequest, fifty: Rack, cli: Cli) -> Iterator[Watch]:
    """Fifty nodes, an ordinary user's or root's, on which an earlier command left daemons."""
    user = fifty.user if request.param == "user" else fifty.server.accounts[0]
    rack = replace(fifty, user=user)
    assert rack.launch().code == 0
    assert cli("execute", "rack", "-e", DAEMON).code == 0
    yield Watch(rack)
    rack.server.clear()


@pytest.mark.parametrize("command", [PLAIN, DEAF], ids=["plain", "deaf"])
def test_ctrl_c(watch: Watch, command: str) -> None:
    """Ctrl-C ends all of it on 50 nodes within 5 s, daemons are kept, and the exit code is 130."""
    with Terminal([PROGRAM, "execute", "rack", "-e", command]) as terminal:
        watch.begun()
        begun = time.monotonic()
        terminal.type("\x03")
        assert terminal.to_the_end() == 130
        watch.over(begun + WITHIN - time.monotonic())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_ended_from_outside(watch: Watch, number: signal.Signals) -> None:
    """When the client is told to end, or killed, nothing of its commands is left either."""
    with started("execute", "rack", "-e", DEAF) as process:
        watch.begun()
        os.kill(process.pid, number)
        watch.over()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == (143 if number == signal.SIGTERM else -number)


def test_timeout(watch: Watch, cli: Cli) -> None:
    """What takes too long has ended on all nodes when the program does, and counts as that."""
    done = cli("execute", "rack", "-e", DEAF, "--timeout", "1")
    assert done.code == 5
    assert done.lines[-1] == "50 nodes: 50 timeout"
    watch.over(1)
