"""A cluster from launch to destroy: EC2's calls, cloud-init's boot, our SSH, all of them real."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from cli.running import PROGRAM, Terminal

from .commands import LAUNCH, NAME, done, tinycloud
from .userdata import planted, secret, user_data
from .world import World

pytestmark = pytest.mark.timeout(300)

NODES = ["master-0", "worker-0", "worker-1"]

AS_PLANTED = """
rm -f /etc/ssh/ssh_host_* /etc/ssh/sshd_config.d/00-tinycloud.conf
umask 077
printf %s "$1" >/etc/ssh/ssh_host_ed25519_key
systemctl restart ssh
"""


@pytest.fixture
def machines(cloud_of_machines: World, state: Path) -> Iterator[World]:
    """A cluster that runs, of a master and two workers."""
    done(*LAUNCH, "-n", "2", "--ttl", "2h")
    yield cloud_of_machines
    done("destroy", NAME)
    assert cloud_of_machines.left() == []
    assert not state.exists()


def listed() -> dict[str, dict[str, Any]]:
    """Return the nodes as the command line lists them, by name."""
    return {node["name"]: node for node in json.loads(done("list", NAME, "--json"))}


def executed(command: str, *where: str) -> dict[str, str]:
    """Return what a command printed, by node; it must end well everywhere."""
    lines = done("execute", NAME, *where, "-e", command, "--json").splitlines()
    results = [json.loads(line) for line in lines]
    assert {result["state"] for result in results} == {"ok"}
    return {result["node"]: result["stdout"] for result in results}


async def shown(address: str) -> str:
    """Return the host key that a machine shows to who knows nothing."""
    key = await asyncssh.get_server_host_key(address, config=None)
    assert key is not None
    return " ".join(key.export_public_key().decode().split()[:2])


def test_all_that_can_be_done(machines: World, tmp_path: Path) -> None:
    """Launch, list, execute, put, log in, stop, start: on machines that are proven throughout."""
    nodes = listed()
    assert list(nodes) == NODES
    assert {node["username"] for node in nodes.values()} == {"admin"}

    said = executed("cat /var/lib/cloud/data/instance-id")
    assert {name: id_.strip() for name, id_ in said.items()} == {n: nodes[n]["id"] for n in NODES}

    (tmp_path / "file").write_text("kept\n")
    done("put", NAME, str(tmp_path / "file"), "there")
    assert set(executed("cat there").values()) == {"kept\n"}

    with Terminal([PROGRAM, "login", NAME, "worker", "1"]) as terminal:
        terminal.until("admin@")
        terminal.type("exec cat there\n")
        terminal.until("kept")
        assert terminal.to_the_end() == 0

    done("stop", NAME)
    assert {node["status"] for node in listed().values()} == {"stopped"}
    done("start", NAME)
    again = listed()
    assert {n: node["id"] for n, node in again.items()} == {n: nodes[n]["id"] for n in NODES}
    assert all(again[n]["address"] != nodes[n]["address"] for n in NODES)
    assert set(executed("cat there").values()) == {"kept\n"}


async def test_a_machine_is_what_its_user_data_say(machines: World) -> None:
    """The timer is armed, cloud-init finds no fault, and nothing in them is good for long.

    The host key that was planted is the one in the tags; the machine has another one by now.
    """
    schema = executed("sudo cloud-init schema --system")
    assert all("Valid cloud-config" in said for said in schema.values())

    timers = executed("systemctl list-timers --all --no-pager | grep tinycloud-ttl")
    assert sorted(timers) == NODES
    for tag in machines.tags().values():
        left = datetime.fromisoformat(tag["tinycloud:expires-at"]) - datetime.now(UTC)
        assert 6000 < left.total_seconds() < 7200

    keys = {planted(data) for data in user_data(machines.proxy)}
    assert keys == {
        " ".join(tag["tinycloud:boot-key"].split()[:2]) for tag in machines.tags().values()
    }
    for node in listed().values():
        assert await shown(node["address"]) not in keys


def test_who_has_read_the_user_data_is_no_node(machines: World) -> None:
    """A machine that shows the planted key after the launch is not trusted, and told nothing."""
    node = listed()["worker-0"]
    key = machines.tags()[node["id"]]["tinycloud:boot-key"]
    private = next(secret(data) for data in user_data(machines.proxy) if planted(data) in key)
    assert machines.containers is not None
    docker = machines.containers.docker
    docker.run("exec", node["id"], "sh", "-ec", AS_PLANTED, "sh", private)
    assert asyncio.run(shown(node["address"])) in key
    ended = tinycloud("execute", NAME, "worker", "0", "-e", "touch told")
    assert ended.returncode == 6, ended.stderr
    assert docker.run("exec", node["id"], "find", "/home", "-name", "told") == ""


def test_a_machine_ends_when_its_time_is_over(cloud_of_machines: World) -> None:
    """Nobody has to be there for that: it powers itself off, and EC2 terminates it."""
    done(*LAUNCH, "-n", "0", "--ttl", "20s")
    assert len(cloud_of_machines.instances()) == 1
    deadline = time.monotonic() + 60
    while cloud_of_machines.instances():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    done("destroy", NAME)
    assert cloud_of_machines.left() == []
