"""Many nodes, many commands: a default sshd takes them all, and little is done more than once."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from cli.running import Cli
from openssh import OpenSSH, openssh

from tinycloud import Result
from tinycloud.fanout import fan_out

from .conftest import Rack


def test_200_of_200(rack: Rack, cli: Cli) -> None:
    """An sshd with MaxStartups 10:30:100 takes 200 of 200 handshakes, at launch and later."""
    done = cli("execute", "rack", "-e", "echo $TINYCLOUD_INDEX")
    assert done.code == 0, done.err
    told = sorted(done.out.splitlines())
    assert told == sorted(["master-0: 0", *(f"worker-{index}: {index}" for index in range(199))])


@pytest.mark.usefixtures("rack")
def test_100_handshakes(cli: Cli) -> None:
    """100 handshakes against a default sshd are 100 ok."""
    done = cli("execute", "rack", "worker", "0-99", "-e", "true")
    assert (done.code, done.lines) == (0, ["100 nodes: 100 ok"])


async def test_13_channels_on_one_node(machines: Rack) -> None:
    """13 commands at once on one node are 13 ok, over one connection, though it takes ten."""
    rack = replace(machines, count=1)
    cloud = rack.cloud()
    await cloud.launch()
    before = rack.server.log.read_text().count("Accepted")

    async def execute(number: int) -> Result:
        (result,) = await cloud.execute(f"sleep 0.3; echo {number}")
        return result

    async with cloud:
        results = await fan_out(execute, range(13))
    assert [result.text for result in results] == [f"{number}\n" for number in range(13)]
    assert rack.server.log.read_text().count("Accepted") - before == 1


@pytest.fixture
def gate(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """A bastion: an sshd with default settings."""
    with openssh(program("sshd")) as server:
        yield server


def test_sixty_behind_a_bastion(machines: Rack, gate: OpenSSH, cli: Cli, tmp_path: Path) -> None:
    """60 targets behind a bastion cost one login there, for each command."""
    rack = replace(machines, count=60, folder=tmp_path)
    rack.write()
    login = asyncssh.import_private_key(rack.key.read_bytes())
    gate.authorize(login.export_public_key().decode())
    rack.know("127.0.0.1", gate)
    via = f"{gate.node().username}@127.0.0.1:{gate.port}"
    assert rack.launch("--via", via).code == 0
    assert gate.log.read_text().count("Accepted publickey") == 1
    done = cli("execute", "rack", "-e", "echo ${SSH_CONNECTION%% *}")
    assert Counter(line.split()[1] for line in done.out.splitlines()) == {"127.0.0.1": 60}
    assert gate.log.read_text().count("Accepted publickey") == 2


async def test_a_dear_key(machines: Rack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An RSA key of 4096 bits that opens 100 nodes is read once."""
    login = asyncssh.generate_private_key("ssh-rsa", key_size=4096)
    machines.server.authorize(login.export_public_key().decode())
    rack = replace(machines, count=100, folder=tmp_path)
    rack.write()
    rack.key.write_bytes(login.export_private_key())
    read: list[bytes] = []
    parse = asyncssh.import_private_key

    def counted(data: bytes) -> asyncssh.SSHKey:
        read.append(data)
        return parse(data)

    monkeypatch.setattr(asyncssh, "import_private_key", counted)
    cloud = rack.cloud()
    await cloud.launch()
    assert (await cloud.execute("true")).ok
    assert len(read) == 1
