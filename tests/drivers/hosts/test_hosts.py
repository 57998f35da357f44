"""Machines that exist already, as a driver sees them: named, remembered, and never touched."""

import asyncio
import socket
from pathlib import Path

import pytest

from tinycloud.drivers import installed, make
from tinycloud.drivers.hosts import Hosts
from tinycloud.errors import InvalidInput
from tinycloud.node import Status

from .conftest import spec

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHMZfCSkGxbBTqhGdSiPbZLp7TbvZtYXP2vTkzPRJnvO"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder in which no hosts are known."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "ada")
    return tmp_path


def test_it_is_installed() -> None:
    """It comes in by the same door as any driver."""
    assert "hosts" in installed()
    assert isinstance(make("hosts", {"addresses": ["gate"]}), Hosts)


def test_addresses_are_sets() -> None:
    """Sets of names, one or many, are the machines in their order, each once."""
    hosts = Hosts(["10.0.0.[1-2]:2222", "pi@n[08-10]", "n09,[::1]:22"], port=2200)
    assert [str(host) for host in hosts.hosts] == [
        "10.0.0.1:2222",
        "10.0.0.2:2222",
        "pi@n08:2200",
        "pi@n09:2200",
        "pi@n10:2200",
        "[::1]:22",
    ]
    assert [str(host) for host in Hosts("gate").hosts] == ["gate:22"]


@pytest.mark.parametrize("addresses", [[], "", "n[1-", "-oX", ["gate", "a b"], "gate:0"])
def test_what_is_no_host_is_refused(addresses: str | list[str]) -> None:
    """A driver of machines that can't be is not made."""
    with pytest.raises(InvalidInput):
        Hosts(addresses)
    with pytest.raises(InvalidInput, match="is not a port"):
        Hosts("gate", port=0)


def test_options_make_it_again(tmp_path: Path) -> None:
    """What is recorded of it makes a driver of the same machines."""
    given = Hosts(["10.0.0.[1-2]", "n1"], username="pi", port=2200, known_hosts=tmp_path / "known")
    again = make("hosts", given.options)
    assert isinstance(again, Hosts)
    assert again.options == given.options
    assert again.hosts == given.hosts
    assert Hosts("gate").options == {"addresses": ["gate"]}


async def test_what_a_node_is() -> None:
    """Address, port and user are those named, the user of this process where none was."""
    driver = Hosts(["pi@10.0.0.1:2222", "n1", "n2"])
    await driver.prepare(spec("master", 1))
    await driver.prepare(spec("worker", 2))
    (master,) = await driver.start(spec("master", 1))
    workers = await driver.start(spec("worker", 2))
    assert (master.name, master.address, master.port) == ("master-0", "10.0.0.1", 2222)
    assert (master.username, master.status, master.host_key) == ("pi", Status.RUNNING, None)
    assert [(n.name, n.address, n.port, n.username) for n in workers] == [
        ("worker-0", "n1", 22, "ada"),
        ("worker-1", "n2", 22, "ada"),
    ]
    (renamed, _) = await Hosts(["n[1-2]"], username="eve").list(spec("worker", 2))
    assert (renamed.id, renamed.username) == (workers[0].id, "eve")


async def test_hosts_go_to_groups_in_order_of_preparation() -> None:
    """Whichever group is started first, the first host belongs to the one prepared first."""
    driver = Hosts("n[1-5]")
    await driver.prepare(spec("master", 1))
    await driver.prepare(spec("worker", 4))
    workers = await driver.start(spec("worker", 4))
    masters = await driver.start(spec("master", 1))
    assert [node.address for node in masters + workers] == ["n1", "n2", "n3", "n4", "n5"]


async def test_too_few_hosts_touch_nothing(state: Path) -> None:
    """Neither `prepare` nor `start` keeps anything of a group that has not enough hosts."""
    for method in (Hosts("n[1-3]").prepare, Hosts("n[1-3]").start):
        with pytest.raises(InvalidInput, match="not enough hosts"):
            await method(spec(count=4))
    assert not await asyncio.to_thread(state.exists)


async def test_host_keys_are_those_that_are_known(home: Path) -> None:
    """They come from the user's known hosts, or from the file named, and are asked each time."""
    driver = Hosts(["n1", "n2:2222"])
    assert [node.host_key for node in await driver.start(spec(count=2))] == [None, None]
    (home / ".ssh").mkdir()
    known = home / ".ssh" / "known_hosts"
    known.write_text(f"n1 {KEY}\n@cert-authority * {KEY}\n")
    assert [node.host_key for node in await driver.list(spec())] == [
        f"{KEY} {known} line 1\n@cert-authority {KEY} {known} line 2",
        f"@cert-authority {KEY} {known} line 2",
    ]
    other = home / "other"
    other.write_text(f"[n2]:2222 {KEY}\n")
    driver = Hosts(["n1", "n2:2222"], known_hosts=other)
    assert [node.host_key for node in await driver.list(spec())] == [
        None,
        f"{KEY} {other} line 1",
    ]


async def test_status_needs_no_known_hosts(tmp_path: Path) -> None:
    """A file of known hosts that is missing keeps nobody from stopping and forgetting."""
    driver = Hosts("n[1-2]", known_hosts=tmp_path / "none")
    with pytest.raises(InvalidInput, match="known hosts"):
        await driver.prepare(spec(count=2))
    await Hosts("n[1-2]").start(spec(count=2))
    with pytest.raises(InvalidInput, match="known hosts"):
        await driver.list(spec())
    assert await driver.status(spec()) == (Status.RUNNING, Status.RUNNING)
    await driver.stop(spec())
    assert await driver.status(spec()) == (Status.STOPPED, Status.STOPPED)
    await driver.destroy(spec())
    assert await driver.status(spec()) == ()


async def test_the_machines_are_not_touched(home: Path) -> None:
    """Nothing that the driver does connects to a host, nor changes the known hosts."""
    (home / ".ssh").mkdir()
    known = home / ".ssh" / "known_hosts"
    known.write_text(f"127.0.0.1 {KEY}\n")
    with socket.create_server(("127.0.0.1", 0)) as machine:
        machine.setblocking(False)
        driver = Hosts([f"127.0.0.1:{machine.getsockname()[1]}", "127.0.0.1"])
        await driver.prepare(spec(count=2))
        assert len(await driver.start(spec(count=2))) == 2
        await driver.stop(spec())
        assert len(await driver.list(spec())) == 2
        await driver.discard(spec(), [1])
        await driver.destroy(spec())
        with pytest.raises(BlockingIOError):
            machine.accept()
    assert [path.name for path in (home / ".ssh").iterdir()] == ["known_hosts"]
    assert known.read_text() == f"127.0.0.1 {KEY}\n"
