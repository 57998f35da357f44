"""Machines that exist already, handed on to ssh and Ansible: their keys, and the way to them."""

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest
from cli.running import Cli, Outcome
from openssh import OpenSSH, openssh

from .conftest import Rack

Ssh = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def all_gone(cli: Cli, state: Path) -> Iterator[None]:
    """See that nothing is kept of the cluster, once it is destroyed."""
    yield
    assert cli("destroy", "rack").code == 0
    assert not state.exists()


@pytest.fixture
def ssh(cli: Cli, tmp_path: Path, program: Callable[[str], str]) -> Ssh:
    """Run a command on a node with plain ssh, by what tinycloud has told it just now."""
    config = tmp_path / "config"

    def call(node: str, command: str) -> Outcome:
        told = cli("ssh-config", "rack")
        assert (told.code, told.err) == (0, ""), told
        config.write_text(told.out)
        words = [program("ssh"), "-F", str(config), f"rack-{node}", command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


def launch(cli: Cli, rack: Rack, *words: str) -> None:
    """Launch the cluster `rack`, with the key that may log in."""
    hosts = () if "--host" in words else ("--host", rack.sets)
    launched = cli("launch", "rack", *hosts, "--user", rack.user, "-i", str(rack.key), *words)
    assert launched.code == 0, launched


def test_what_the_user_knows_is_what_ssh_goes_by(cli: Cli, rack: Rack, ssh: Ssh) -> None:
    """The user's key logs in, and hosts prove what the user's known hosts say, now as ever."""
    rack.know()
    launch(cli, rack, "-n", "1")
    assert ssh("worker-0", "exit 3") == Outcome(3, "", "")
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    rack.known_hosts.unlink()
    rack.know(key=other)
    refused = ssh("worker-0", "true")
    assert (refused.code, refused.out) == (255, "")
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.err


def test_a_key_that_was_taken_on_wish(cli: Cli, rack: Rack, ssh: Ssh) -> None:
    """What --accept-new has pinned is what ssh holds the host to."""
    launch(cli, rack, "-n", "0", "--accept-new")
    assert ssh("master-0", "echo hello") == Outcome(0, "hello\n", "")
    assert not rack.known_hosts.exists()


def test_a_revoked_key(cli: Cli, rack: Rack, ssh: Ssh) -> None:
    """A key that the user has revoked since is refused by ssh, too."""
    launch(cli, rack, "-n", "0", "--accept-new")
    rack.know(marker="@revoked")
    refused = ssh("master-0", "true")
    assert (refused.code, refused.out) == (255, "")
    assert "revoked" in refused.err.lower()


def test_a_certificate(
    cli: Cli, rack: Rack, ssh: Ssh, tmp_path: Path, program: Callable[[str], str]
) -> None:
    """Hosts that prove themselves by a certificate do so to ssh, without a pinned key."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    certificate = tmp_path / "certificate"
    with openssh(program("sshd"), f"HostCertificate {certificate}", late=True) as server:
        made = authority.generate_host_certificate(
            server.host.convert_to_public(), "host", principals=["127.0.0.1"]
        )
        certificate.write_bytes(made.export_certificate())
        server.start()
        line = authority.export_public_key().decode()
        rack.known_hosts.write_text(f"@cert-authority [127.0.0.1]:{server.port} {line}")
        rack.key.write_bytes(server.login_key)
        launch(cli, rack, "--host", f"127.0.0.1:{server.port}", "-n", "0")
        assert ssh("master-0", "echo hello") == Outcome(0, "hello\n", "")


@pytest.fixture
def gate(program: Callable[[str], str], rack: Rack) -> Iterator[OpenSSH]:
    """A bastion that the user's key opens, too."""
    with openssh(program("sshd")) as server:
        server.authorize(asyncssh.read_private_key(rack.key).export_public_key().decode())
        yield server


def test_over_a_bastion(cli: Cli, rack: Rack, ssh: Ssh, gate: OpenSSH) -> None:
    """The way leads over the bastion, which proves itself by its own key as the nodes do."""
    rack.know()
    with rack.known_hosts.open("a") as file:
        file.write(f"[127.0.0.1]:{gate.port} {gate.host_key}\n")
    via = f"{gate.accounts[0]}@127.0.0.1:{gate.port}"
    launch(cli, rack, "-n", "1", "--via", via)
    before = gate.log.read_text().count("Accepted publickey")
    assert ssh("worker-0", "echo hello") == Outcome(0, "hello\n", "")
    assert gate.log.read_text().count("Accepted publickey") == before + 1
    inventory = json.loads(cli("inventory", "rack", "--json").out)
    groups = inventory["all"]["children"]["rack"]["children"]
    host = groups["worker"]["hosts"]["rack-worker-0"]
    words = ["ssh", "-F", "/dev/null", "-i", host["ansible_ssh_private_key_file"]]
    words += shlex.split(host["ansible_ssh_common_args"])
    place = f"ssh://{host['ansible_user']}@{host['ansible_host']}:{host['ansible_port']}"
    done = subprocess.run([*words, place, "echo hello"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")
    assert gate.log.read_text().count("Accepted publickey") == before + 2


def test_another_bastion_than_it_was(cli: Cli, rack: Rack, ssh: Ssh, gate: OpenSSH) -> None:
    """A bastion that shows another key is told nothing, and the nodes behind it are not reached."""
    rack.know()
    right = rack.known_hosts.read_text()
    rack.known_hosts.write_text(f"{right}[127.0.0.1]:{gate.port} {gate.host_key}\n")
    launch(cli, rack, "-n", "0", "--via", f"{gate.accounts[0]}@127.0.0.1:{gate.port}")
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    rack.known_hosts.write_text(f"{right}[127.0.0.1]:{gate.port} {other}\n")
    logins = gate.log.read_text().count("Accepted publickey")
    refused = ssh("master-0", "true")
    assert refused.code == 255
    assert "IDENTIFICATION HAS CHANGED" in refused.err
    assert gate.log.read_text().count("Accepted publickey") == logins
