"""Two hundred machines out of one sshd with default settings, and clusters of some of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cli.conftest import cli
from cli.running import Outcome, run
from openssh import Everywhere, OpenSSH, running

from tinycloud import Cloud, Group
from tinycloud.drivers.hosts import Hosts

__all__ = ["cli"]

# An sshd that answers on all addresses, but only to who comes from this machine.
LOCAL_ONLY = "AllowUsers *@127.0.0.0/8"
COUNT = 200


@dataclass(frozen=True, kw_only=True)
class Rack:
    """So many machines, which one sshd is, as whoever logs in to them would name them."""

    server: OpenSSH
    folder: Path
    user: str
    count: int = COUNT

    @property
    def hosts(self) -> str:
        """The machines as a set."""
        return f"127.1.0.[1-{self.count}]:{self.server.port}"

    @property
    def key(self) -> Path:
        """The private key that logs in to all of them."""
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        """What their identities are."""
        return self.folder / "known_hosts"

    def write(self) -> None:
        """Write the key and the known hosts."""
        self.key.touch(mode=0o600)
        self.key.write_bytes(self.server.login_key)
        self.known_hosts.touch()
        for number in range(1, self.count + 1):
            self.know(f"127.1.0.{number}", self.server)

    def know(self, address: str, server: OpenSSH) -> None:
        """Add another machine to the known hosts."""
        with self.known_hosts.open("a") as file:
            file.write(f"[{address}]:{server.port} {server.host_key}\n")

    def launch(self, *words: str) -> Outcome:
        """Launch the cluster `rack` of all machines, on the command line."""
        files = ("-i", str(self.key), "--known-hosts", str(self.known_hosts))
        return run("launch", "rack", "--host", self.hosts, "--user", self.user, *files, *words)

    def cloud(self, *, keyfile: Path | None = None) -> Cloud:
        """Return a cluster of all machines that has not been launched."""
        hosts = Hosts(self.hosts, username=self.user, known_hosts=self.known_hosts)
        return Cloud([Group("node", self.count, hosts)], name="r", keyfile=keyfile or self.key)


@contextmanager
def made(program: str, folder: Path, count: int = COUNT) -> Iterator[Rack]:
    """Have an sshd with default settings that is so many machines."""
    with running(Everywhere, program, LOCAL_ONLY) as server:
        user = "bash" if "bash" in server.accounts else server.accounts[0]
        rack = Rack(server=server, folder=folder, user=user, count=count)
        rack.write()
        yield rack


@pytest.fixture(scope="session")
def machines(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rack]:
    """All machines, of which nothing has been launched."""
    with made(program("sshd"), tmp_path_factory.mktemp("machines")) as rack:
        yield rack


@pytest.fixture
def fifty(machines: Rack) -> Rack:
    """Fifty of the machines."""
    return replace(machines, count=50)


@pytest.fixture(scope="session")
def launched(machines: Rack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a cluster `rack` of all machines."""
    folder = tmp_path_factory.mktemp("launched") / "state"
    before = os.environ.get("TINYCLOUD_STATE_DIR")
    os.environ["TINYCLOUD_STATE_DIR"] = str(folder)
    try:
        assert machines.launch().code == 0
    finally:
        if before is not None:
            os.environ["TINYCLOUD_STATE_DIR"] = before
    return folder


@pytest.fixture
def rack(machines: Rack, launched: Path, monkeypatch: pytest.MonkeyPatch) -> Rack:
    """All machines, launched as the cluster `rack`: master-0 and 199 workers."""
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", str(launched))
    return machines


@pytest.fixture
def own(program: Callable[[str], str], tmp_path: Path) -> Iterator[Rack]:
    """Three machines of this test's own, which it may do harm to."""
    with made(program("sshd"), tmp_path, 3) as rack:
        yield rack
