"""How a command ended on each node, and what it printed, is told as it was."""

import json
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.running import PATIENCE, Cli, run, started
from openssh import openssh

from tinycloud import Output, Result, State
from tinycloud.ssh import connect

from .conftest import Rack

MB = 1_000_000


def results(text: str) -> list[dict[str, Any]]:
    """Return the results in what `--json` has printed."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("rack")
def test_exit_3(cli: Cli) -> None:
    """Exit 3 is shown, and the program's own status is not 0."""
    done = cli("execute", "rack", "worker", "0", "-e", "exit 3")
    assert done.code == 1
    assert "worker-0: exit status 3" in done.err


@pytest.mark.usefixtures("rack")
def test_a_killed_command(cli: Cli) -> None:
    """A command that is killed has ended by a signal, not by an exit status."""
    done = cli("execute", "rack", "worker", "0", "-e", "kill -KILL $$", "--json")
    assert done.code == 1
    (result,) = results(done.out)
    assert (result["state"], result["exit_status"]) == ("signalled", None)
    assert "KILL" in result["error"]


def test_sshd_is_killed(own: Rack) -> None:
    """When sshd is killed the nodes are lost, and what they had printed is kept."""
    assert own.launch().code == 0
    command = "echo $TINYCLOUD_NODE; sleep 1000"
    with started("execute", "rack", "-e", command) as process:
        assert process.stdout is not None
        told = {process.stdout.readline() for _ in range(3)}
        own.server.stop()
        _, errors = process.communicate(timeout=PATIENCE)
    assert told == {f"{name}: {name}\n" for name in ("master-0", "worker-0", "worker-1")}
    assert process.returncode == 5
    assert errors.splitlines()[-1] == "3 nodes: 3 lost"


def test_no_banner(machines: Rack, program: Callable[[str], str], tmp_path: Path) -> None:
    """A host that accepts and says nothing is named in 10 s, while 99 others finish."""
    most = replace(machines, count=99, folder=tmp_path)
    most.write()
    with openssh(program("sshd")) as odd:
        odd.authorize(_public(machines.key, program("ssh-keygen")))
        most.know("127.0.0.1", odd)
        assert most.launch("--host", f"127.0.0.1:{odd.port}").code == 0
        odd.stop()
        with socket.create_server(("127.0.0.1", odd.port)):
            done = run("execute", "rack", "-e", "true", "--json")
    found = results(done.out)
    assert Counter(result["state"] for result in found) == {"ok": 99, "unreachable": 1}
    assert (done.code, found[-1]["node"]) == (5, "worker-98")
    assert "greet" in found[-1]["error"]
    assert found[-1]["duration"] < 20  # 10 s of silence, and the turn that it had to wait for


def _public(key: Path, keygen: str) -> str:
    done = subprocess.run([keygen, "-y", "-f", key], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.usefixtures("rack")
def test_a_byte_that_is_no_text() -> None:
    """A byte that is not UTF-8 costs neither other nodes nor the status; it is printed as it is."""
    command = r"test $TINYCLOUD_INDEX = 1 && printf '\377\n' && exit 3; echo fine"
    done = run("execute", "rack", "worker", "0-2", "-e", command)
    assert done.code == 1
    assert set(done.out.splitlines()) == {"worker-0: fine", "worker-1: \udcff", "worker-2: fine"}
    assert "worker-1: exit status 3" in done.err


@pytest.mark.usefixtures("rack")
def test_much_on_stderr_alone(tmp_path: Path) -> None:
    """8 MB on stderr with nothing on stdout hold nothing up, and all of it is kept."""
    command = f"head -c {8 * MB} /dev/zero >&2"
    done = run("execute", "rack", "worker", "0-1", "-e", command, "--output-dir", str(tmp_path))
    assert done.code == 0
    assert [(tmp_path / f"worker-{i}.err").stat().st_size for i in (0, 1)] == [8 * MB, 8 * MB]
    assert [(tmp_path / f"worker-{i}.out").stat().st_size for i in (0, 1)] == [0, 0]


@pytest.mark.usefixtures("rack")
def test_nothing_to_read(cli: Cli) -> None:
    """`cat` without an input of ours ends at once."""
    done = cli("execute", "rack", "worker", "0-2", "-e", "cat", "--json")
    assert done.code == 0
    assert max(result["duration"] for result in results(done.out)) < 5


@pytest.mark.usefixtures("rack")
def test_something_left_in_the_background(cli: Cli) -> None:
    """`sleep 9 & exit 3` is 3 within 2 s."""
    done = cli("execute", "rack", "worker", "0-2", "-e", "sleep 9 & exit 3", "--json")
    assert done.code == 1
    for result in results(done.out):
        assert result["exit_status"] == 3
        assert result["duration"] < 2.5  # with the handshake


async def frozen(rack: Rack) -> None:
    """Freeze the machines while a command runs there, and see them lost."""
    cloud = rack.cloud()
    await cloud.launch()
    begun = set()
    states = []
    async with aclosing(cloud.stream("echo on; sleep 1000")) as events:
        async for event in events:
            if isinstance(event, Output):
                begun.add((event.node.name, event.data))
                if len(begun) == rack.count:
                    rack.server.freeze()
                    then = time.monotonic()
            elif isinstance(event, Result):
                states.append(event.state)
    assert states == [State.LOST] * rack.count
    assert time.monotonic() - then < 60


async def test_a_frozen_node(own: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that freeze are lost after so many keepalives without an answer."""
    monkeypatch.setattr(connect, "KEEPALIVE_INTERVAL", 0.5)
    await frozen(own)


@pytest.mark.exhaustive
async def test_a_frozen_node_in_earnest(own: Rack) -> None:
    """Nodes that freeze are lost within 60 s."""
    await frozen(own)
