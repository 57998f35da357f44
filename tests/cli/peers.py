"""What other programs are told of a machine, and what ssh makes of it."""

import subprocess
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tinycloud import Node, Status
from tinycloud.cloud.exports import Peer

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF4uJtUa6iYmGPoQgDK1co2ump7MyBV0yFH/4ijzbjGP"
HOSTS = Path("/state/known_hosts")


OF_NODE = {field.name for field in fields(Node)}


def peer(**changes: Any) -> Peer:
    """Return what is told of a node, but for these changes of the node or of what is told."""
    node = Node(
        tag="worker",
        index=3,
        id="i-0abc",
        status=Status.RUNNING,
        address="10.0.0.7",
        port=2222,
        username="ada",
    )
    of_node = {name: changes.pop(name) for name in list(changes) if name in OF_NODE}
    told = Peer(name="voltron-worker-3", node=replace(node, **of_node), host_keys=KEY)
    return replace(told, **{"key": Path("/state/key"), **changes})


Effective = dict[str, str]
"""What OpenSSH makes of a configuration, by the setting's name in lower case."""

Ssh = Callable[..., Effective]


@pytest.fixture
def ssh(program: Callable[[str], str], tmp_path: Path) -> Ssh:
    """Have ssh itself read a configuration, and say what it makes of it for a host."""
    path = program("ssh")

    def effective(text: str, host: str = "voltron-worker-3", *options: str) -> Effective:
        config = tmp_path / "config"
        config.write_text(text)
        command = [path, "-T", "-G", "-F", str(config), *options, host]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)

    return effective


@pytest.fixture
def gate() -> Peer:
    """A bastion."""
    node = peer(id="bastion gate:22", address="gate.example.com", username="eve", port=22).node
    return Peer(name="voltron-eve-gate-bastion", node=node, host_keys=KEY, key=Path("/home/it's/k"))
