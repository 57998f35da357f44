"""`tinycloud forward`: a tunnel from its first line to its end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clusters import kill

from tinycloud import Cloud, Group
from tinycloud.drivers.local import Local

from .running import PATIENCE, Cli, Outcome, await_line, started

READY = "ready; Ctrl-C ends it"


@pytest.mark.parametrize(
    "words",
    [
        "99999",
        "0:70000",
        "8787:a%20b:99999",
        "--bind localhost 8787",
        "--socks 99999",
        "worker 9 80",
    ],
)
def test_bad_input_is_two_lines(cli: Cli, voltron: Path, words: str) -> None:
    """Whatever is wrong with the words, it is exit code 2, and nobody listens."""
    assert cli("forward", "voltron", *words.split()).refused()


def test_a_port_in_use(cli: Cli, voltron: Path) -> None:
    """That is this machine's trouble, and 0 is one way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "0 takes any that is free" in cli("forward", "voltron", f"{port}:22").refused(7)


def test_several_or_none(cli: Cli, voltron: Path) -> None:
    """If one of several ports can't be listened on, none is."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        wanted, port = free.getsockname()[1], taken.getsockname()[1]
        free.close()
        assert cli("forward", "voltron", f"{wanted}:22", f"{port}:22").refused(7)
        with socket.create_server(("127.0.0.1", wanted)):  # it is free again
            pass


@contextmanager
def target(answer: bytes) -> Iterator[int]:
    """Have a server on a port of this machine that says this to the first who connects."""
    code = "import socket,sys; s = socket.create_server(('127.0.0.1', 0)); "
    code += "print(s.getsockname()[1], flush=True); c, _ = s.accept(); "
    code += f"c.sendall({answer!r}); c.close()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def heard(port: int) -> bytes:
    """Return all that is said on a port of this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def ending(process: "subprocess.Popen[str]") -> Outcome:
    """Return how a program ended, and what it still had to say."""
    out, err = process.communicate(timeout=PATIENCE)
    return Outcome(process.returncode, out, err)


@pytest.mark.usefixtures("voltron")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_from_the_first_line_to_the_interrupt(number: int, code: int) -> None:
    """The answer says where it listens and leads; Ctrl-C ends it, and is no error."""
    with (
        target(b"hello") as there,
        started("forward", "voltron", "worker", "1", f"0:{there}") as it,
    ):
        assert it.stdout is not None
        address, _, rest = it.stdout.readline().partition(" ")
        assert rest == f"leads to localhost:{there} from worker-1\n"
        await_line(it, READY)
        port = int(address.removeprefix("127.0.0.1:"))
        assert heard(port) == b"hello"
        os.kill(it.pid, number)
        assert ending(it) == Outcome(code, "", "interrupted: nothing is forwarded any more\n")
    with pytest.raises(ConnectionRefusedError):
        heard(port)


@pytest.mark.usefixtures("voltron")
def test_json_says_the_same() -> None:
    """With --json there is a line for each port, with the same keys."""
    with started("forward", "voltron", "0:22", "--socks", "0", "--json", "--quiet") as it:
        assert it.stdout is not None
        port, proxy = json.loads(it.stdout.readline()), json.loads(it.stdout.readline())
        it.terminate()
        assert ending(it) == Outcome(143, "", "")
    assert {port.pop("port"), proxy.pop("port")}.isdisjoint({0, 22})
    node = {"node": "master-0", "address": "127.0.0.1"}
    assert port == {**node, "to_address": "localhost", "to_port": 22}
    assert proxy == {**node, "to_address": None, "to_port": None}


@pytest.mark.usefixtures("voltron")
def test_bind_is_taken_at_its_word() -> None:
    """An address that was asked for is the one that is listened on."""
    with started("forward", "voltron", "0:22", "--bind", "127.0.0.2") as it:
        assert it.stdout is not None
        address = it.stdout.readline().split()[0]
        assert address.startswith("127.0.0.2:")
        with pytest.raises(ConnectionRefusedError):
            heard(int(address.split(":")[1]))


@pytest.mark.usefixtures("voltron")
def test_a_target_that_refuses_is_told_of_once() -> None:
    """Each new trouble is a line on stderr, the same one over and over is not."""
    with socket.socket() as nobody, target(b"hello") as there:
        nobody.bind(("127.0.0.1", 0))
        refusing = nobody.getsockname()[1]
        with started("forward", "voltron", f"0:{refusing}", f"0:{there}") as it:
            assert it.stdout is not None
            ports = [int(it.stdout.readline().split()[0].split(":")[1]) for _ in range(2)]
            for _ in range(3):
                with pytest.raises(ConnectionResetError):
                    heard(ports[0])
            assert heard(ports[1]) == b"hello"
            it.send_signal(signal.SIGINT)
            lines = ending(it).err.splitlines()
    assert [line for line in lines if f"can't connect to localhost:{refusing}" in line] == lines[
        1:2
    ]
    assert lines[0] == READY
    assert lines[2:] == ["interrupted: nothing is forwarded any more"]


def test_the_death_of_the_node(cli: Cli, state: Path) -> None:
    """When the node dies the program ends with 5, and says which node it was."""
    assert cli("launch", "gone", "-n", "0", "--quiet").code == 0
    try:
        with started("forward", "gone", "0:22") as it:
            await_line(it, READY)
            (node,) = asyncio.run(Cloud([Group("master", 1, Local())], name="gone").list())
            kill(node)
            ended = ending(it)
        assert (ended.code, len(ended.lines)) == (5, 2)
        assert ended.lines[0].startswith("error: lost master-0 (")
        assert ended.lines[1] == "fix: tinycloud status gone"
    finally:
        assert cli("destroy", "gone").code == 0
    assert not state.exists()


def test_a_cluster_that_nobody_knows(cli: Cli, state: Path) -> None:
    """It has no node to go through, and nothing is kept of it."""
    assert cli("forward", "gone", "8787").refused(3)
    assert not state.exists()
