"""A rack of machines that exist already: one sshd with many addresses, and a user's home."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.conftest import cli
from openssh import OpenSSH, openssh

from tinycloud.group import GroupSpec

__all__ = ["cli"]

COUNT = 6


class Rack:
    """Six machines, as far as anybody can tell, and the home folder of who may log in there."""

    def __init__(self, server: OpenSSH, home: Path) -> None:
        self.server = server
        self.addresses = tuple(f"127.0.0.{number}" for number in range(2, 2 + COUNT))
        self.sets = f"127.0.0.[2-{1 + COUNT}]:{server.port}"
        self.user = server.accounts[0]
        self.ssh = home / ".ssh"
        self.key = self.ssh / "id_ed25519"
        self.known_hosts = self.ssh / "known_hosts"
        self.ssh.mkdir(mode=0o700, parents=True)
        self.write_key(self.key)

    def write_key(self, path: Path) -> None:
        """Write the key that may log in."""
        path.touch(mode=0o600)
        path.write_bytes(self.server.login_key)

    def place(self, number: int) -> str:
        """Return the address and port of a machine, as `--host` takes them."""
        return f"{self.addresses[number]}:{self.server.port}"

    def know(self, *numbers: int, key: str = "", marker: str = "") -> None:
        """Write machines (all, unless told which) into the user's known hosts."""
        with self.known_hosts.open("a") as file:
            for number in numbers or range(COUNT):
                name = f"[{self.addresses[number]}]:{self.server.port}"
                file.write(f"{marker} {name} {key or self.server.host_key}\n".lstrip())

    @property
    def logins(self) -> int:
        """How often somebody has logged in to any of the machines."""
        return self.server.log.read_text().count("Accepted publickey")


@pytest.fixture(scope="session")
def rack_server(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """One sshd with default settings, on all addresses of the rack."""
    lines = [f"ListenAddress 127.0.0.{number}" for number in range(2, 2 + COUNT)]
    with openssh(program("sshd"), *lines) as server:
        yield server


@pytest.fixture
def rack(rack_server: OpenSSH, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rack:
    """A rack, of which this test's user knows no host key yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    return Rack(rack_server, home)


def spec(tag: str = "worker", count: int = 1, *, cluster: str = "rack") -> GroupSpec:
    """Return what a driver is told about a group."""
    return GroupSpec(cluster=cluster, tag=tag, count=count)
