"""Ctrl-C on many machines at once: nothing of the command is left, and what is older stays."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import asyncssh
import pytest
from cli.running import PATIENCE, run, started
from openssh import OpenSSH, openssh

EACH = 10
"""Addresses that one sshd listens on; it takes no more than 16."""

WITHIN = 5.0
"""Seconds in which a command has to be gone from all machines."""

TREE = "sh -c 'echo on; sleep 1000 & (sleep 1000 &) ; sleep 1000'"
DEAF = f"trap '' TERM HUP INT; {TREE}"

Servers = Sequence[OpenSSH]


@pytest.fixture(params=[1, pytest.param(5, marks=pytest.mark.exhaustive)])
def servers(request: pytest.FixtureRequest, program: Callable[[str], str]) -> Iterator[Servers]:
    """Some sshds with default settings, each of them on ten addresses."""
    lines = [f"ListenAddress 127.0.2.{number}" for number in range(1, EACH + 1)]
    with ExitStack() as stack:
        found = [
            stack.enter_context(openssh(program("sshd"), *lines)) for _ in range(request.param)
        ]
        key = asyncssh.import_private_key(found[0].login_key)
        for other in found:
            other.authorize(key.export_public_key().decode())
        yield found


def launch(servers: Servers, home: Path, account: str) -> None:
    """Make a rack of all these machines known, with a home for who may log in to them."""
    ssh = home / ".ssh"
    ssh.mkdir(parents=True)
    (ssh / "id_ed25519").touch(mode=0o600)
    (ssh / "id_ed25519").write_bytes(servers[0].login_key)
    known = (
        f"[127.0.2.{number}]:{server.port} {server.host_key}\n"
        for server in servers
        for number in range(1, EACH + 1)
    )
    (ssh / "known_hosts").write_text("".join(known))
    hosts = [word for s in servers for word in ("--host", f"127.0.2.[1-{EACH}]:{s.port}")]
    words = ("launch", "rack", "--driver", "hosts", *hosts, "--user", account)
    launched = run(*words, HOME=str(home))
    assert launched.code == 0, launched


def still_there(servers: Servers) -> list[str]:
    """Return what runs on any machine."""
    return [line for server in servers for line in server.running()]


@pytest.mark.parametrize("account", ["root", "dash"])
@pytest.mark.parametrize(
    "command",
    [pytest.param(TREE, id="tree", marks=pytest.mark.exhaustive), pytest.param(DEAF, id="deaf")],
)
def test_ctrl_c_ends_the_command_on_all(
    servers: Servers, tmp_path: Path, account: str, command: str
) -> None:
    """Within 5 s no process is left on any machine; a daemon of a command that ended lives on."""
    count = EACH * len(servers)
    launch(servers, tmp_path, servers[0].node(account).username)
    home = {"HOME": str(tmp_path)}
    daemon = "nohup sleep 2000 >/dev/null 2>&1 &"
    assert run("execute", "rack", "master", "-e", daemon, **home).code == 0
    with started("execute", "rack", "--no-gather", "-e", command, **home) as process:
        assert process.stdout is not None
        for _ in range(count):
            assert process.stdout.readline().endswith(": on\n")
        begun = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        while still_there(servers) != ["sleep 2000"]:
            assert time.monotonic() - begun < WITHIN, still_there(servers)
            time.sleep(0.05)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"stopped on {count}" in err.splitlines()
    assert run("destroy", "rack", **home).code == 0
