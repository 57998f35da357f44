"""The parts of the SSH server; as a whole it is tested where its nodes are, with real clients."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import asyncssh
import pytest

from tinycloud.ssh.server import Children, Machine, new_host_key, public_line, serving
from tinycloud.ssh.server.pty import open_terminal, resize

SIZE = (80, 24, 0, 0)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that nobody may log in to yet."""
    return Machine(
        username="somebody",
        home=tmp_path,
        login_shell="/bin/sh",
        host_key=new_host_key()[0],
        authorized_keys=tmp_path / "authorized_keys",
        environment={"PATH": os.environ["PATH"]},
    )


def test_host_key() -> None:
    """A new host key is known by the line that its private half yields."""
    private, public = new_host_key()
    assert public_line(private) == public
    assert public.startswith("ssh-ed25519 ")
    assert public_line(private[:40]) is None
    assert public_line(b"") is None


def test_secrets_stay_out_of_sight(machine: Machine) -> None:
    """A machine's private key is not in its repr."""
    assert "PRIVATE" not in repr(machine)


def test_terminal_size() -> None:
    """A terminal has the size that the client asked for, until it is resized."""
    ours, theirs = open_terminal((100, 50, 640, 480), {})
    assert struct.unpack("HHHH", ioctl(theirs, termios.TIOCGWINSZ, bytes(8))) == (50, 100, 640, 480)
    resize(ours, (7, 1 << 20, 0, 0))
    assert struct.unpack("HHHH", ioctl(theirs, termios.TIOCGWINSZ, bytes(8))) == (65535, 7, 0, 0)
    os.close(ours)
    os.close(theirs)


def test_terminal_modes() -> None:
    """A terminal has the modes that the client asked for; what it does not know is left out."""
    erase, no_end, echo_off, tostop_on, unknown, speed = 3, 5, 53, 58, 17, 129
    modes = {erase: 8, no_end: 255, echo_off: 0, tostop_on: 1, unknown: 3, speed: 9600}
    ours, theirs = open_terminal(SIZE, modes)
    _, _, _, local, _, output_speed, special = termios.tcgetattr(theirs)
    assert special[termios.VERASE] == b"\x08"
    assert special[termios.VEOF] == b"\x00"
    assert special[termios.VINTR] == b"\x03"
    assert not local & termios.ECHO
    assert local & termios.TOSTOP
    assert output_speed == termios.B9600
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("what", ["reaped", "unchanged", "rehearsal"])
def test_childless(what: str) -> None:
    """Children are reaped to the last, and a rehearsal leaves none: see `childless.py`."""
    program = Path(__file__).with_name("childless.py")
    done = subprocess.run(
        [sys.executable, program, what], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_many_logins(machine: Machine) -> None:
    """One bad line in the authorised keys spoils no other; clients are let go at the end."""
    private, public = new_host_key()
    machine.authorized_keys.write_text(f"ssh-rsa nonsense\n{public}\n")
    listening = socket.create_server(("127.0.0.1", 0))
    with Children() as children:
        async with serving(listening, machine, children):
            connections = await asyncio.gather(
                *(_login(listening, machine, private) for _ in "123")
            )
            done = await asyncio.gather(*(c.run("echo $0; exit 3") for c in connections))
        assert [(one.stdout, one.exit_status) for one in done] == [("sh\n", 3)] * 3
        for connection in connections:
            await connection.wait_closed()


async def _login(
    listening: socket.socket, machine: Machine, key: bytes
) -> asyncssh.SSHClientConnection:
    host_key = asyncssh.import_private_key(machine.host_key).convert_to_public()
    return await asyncssh.connect(
        *listening.getsockname(),
        username=machine.username,
        client_keys=[asyncssh.import_private_key(key)],
        known_hosts=([host_key], [], []),
        config=None,
        agent_path=None,
    )
