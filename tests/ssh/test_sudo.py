"""Commands that root is to run, by way of sudo: all of the command, or a clear refusal."""

from collections.abc import Callable, Iterator

import pytest
from openssh import MAY_NOT, NEEDS_PASSWORD, SHELLS, OpenSSH, openssh

from tinycloud.result import State
from tinycloud.ssh.script import Script

from .client import connected, run
from .test_input import pieces


@pytest.fixture(autouse=True)
def _sudo(program: Callable[[str], str]) -> None:
    """Find sudo."""
    program("sudo")


BARRED = (NEEDS_PASSWORD, MAY_NOT)
MAY = [shell for shell in SHELLS if shell not in BARRED]


@pytest.mark.parametrize("account", ["root", *MAY])
async def test_all_of_it(server: OpenSSH, account: str) -> None:
    """Root runs all of a command, not only its beginning, with the variables that it has."""
    async with connected(server, account) as link:
        ran = await run(
            link, "id -un; id -un; echo $ONE; cat", variables={"ONE": "1 'one'"}, sudo=True
        )
    assert (ran.state, ran.stderr) == (State.OK, b"")
    assert ran.stdout == b"root\nroot\n1 'one'\n"


async def test_script_and_input(server: OpenSSH) -> None:
    """Root runs a script, too, and reads our input."""
    async with connected(server, "sh") as link:
        script = Script(b"#!/bin/sh\nid -un; cat; exit 4\n")
        ran = await run(link, script, input=pieces(b"in\xff\0put"), sudo=True)
    assert (ran.stdout, ran.error) == (b"root\nin\xff\0put", "exit status 4")


async def test_signal(server: OpenSSH) -> None:
    """A command of root's that is killed counts as killed."""
    async with connected(server, "sh") as link:
        assert (await run(link, "kill -9 $$", sudo=True)).error == "killed by SIGKILL"


@pytest.mark.parametrize("account", BARRED)
async def test_refused(server: OpenSSH, account: str) -> None:
    """Where a user may not, or not without a password, sudo's own words say so."""
    async with connected(server, account) as link:
        ran = await run(link, "echo never", sudo=True)
    assert ran.stdout == b""
    assert ran.error == f"exit status 1 ({ran.stderr.decode().splitlines()[-1]})"
    assert "password is required" in ran.error


async def test_own_failure(server: OpenSSH) -> None:
    """A command that fails by itself is not taken for a refusal."""
    async with connected(server, "sh") as link:
        ran = await run(link, "echo no >&2; exit 1", sudo=True)
    assert (ran.stderr, ran.error) == (b"no\n", "exit status 1")


@pytest.fixture(scope="module")
def without_sudo(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """Return a server on which nobody finds sudo."""
    with openssh(program("sshd"), "SetEnv PATH=/nowhere") as server:
        yield server


@pytest.mark.parametrize("account", SHELLS)
async def test_missing(without_sudo: OpenSSH, account: str) -> None:
    """Where there is no sudo, that is said."""
    async with connected(without_sudo, account) as link:
        ran = await run(link, "echo never", sudo=True)
    assert (ran.state, ran.stdout) == (State.FAILED, b"")
    assert "sudo" in ran.error
