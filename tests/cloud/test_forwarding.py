"""`Cloud.forward`: a block in which a port here leads through a node, and what ends it."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
from clusters import files, kill, launched, local

from tinycloud import (
    Cloud,
    ConnectionLost,
    InvalidInput,
    MachineError,
    Node,
    NoSuchCluster,
    Unreachable,
)
from tinycloud.cloud.forwarding import checked_listen, checked_target

SERVER_GREETS = b"SSH-2.0-"


async def greeting(address: tuple[str, int]) -> bytes:
    """Return the first that is said at this address."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        return await reader.read(len(SERVER_GREETS))
    finally:
        writer.close()


def listens(port: int) -> bool:
    """Return whether this process listens on a port."""
    found = psutil.Process().net_connections("tcp")
    return any(c.laddr.port == port and c.status == psutil.CONN_LISTEN for c in found)


async def nodes(cloud: Cloud) -> dict[str, Node]:
    """Return the nodes by name."""
    return {node.name: node for node in await cloud.list()}


async def test_it_leads_where_it_should_and_ends_with_its_block() -> None:
    """It listens on this machine alone, on a free port, and for as long as the block lasts."""
    async with launched(0) as cloud:
        node = (await nodes(cloud))["master-0"]
        async with cloud.forward(node.port) as (host, port):
            assert host == "127.0.0.1"
            assert listens(port)
            assert await greeting((host, port)) == SERVER_GREETS
        assert not listens(port)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_several_at_once_share_a_warm_connection() -> None:
    """Inside the Cloud's own block all tunnels go over one connection, which outlives them."""
    async with launched(0) as cloud, cloud:
        port = (await nodes(cloud))["master-0"].port
        async with cloud.forward(port) as one, cloud.forward(port) as two, cloud.forward() as proxy:
            assert len({one, two, proxy}) == 3
            assert await greeting(one) == await greeting(two) == SERVER_GREETS
            assert established_to(port) == 1
        assert (await cloud.execute("true")).ok
        assert established_to(port) == 1


def established_to(port: int) -> int:
    """Return how many connections this process has to a port."""
    found = psutil.Process().net_connections("tcp")
    return sum(bool(c.raddr) and c.raddr.port == port for c in found)


Chosen = tuple[str | None, int]
"""A tag and an index, as a caller gives them."""


@pytest.mark.parametrize(
    ("chosen", "through"),
    [((None, 0), "master-0"), (("worker", 0), "worker-0"), (("worker", 1), "worker-1")],
)
async def test_it_goes_through_the_node_that_was_chosen(chosen: Chosen, through: str) -> None:
    """Other nodes may die; when that node does, the block is cancelled and the loss raised."""
    async with launched(2) as cloud:
        found = await nodes(cloud)
        target, other = (node for name, node in found.items() if name != through)
        reached: list[Any] = []

        async def use() -> None:
            tag, index = chosen
            async with cloud.forward(target.port, tag=tag, index=index) as address:
                kill(other)
                reached.extend([await greeting(address), address[1]])
                kill(found[through])
                await asyncio.Event().wait()

        with pytest.raises(ConnectionLost, match=f"lost {through}") as lost:
            await use()
        greeted, port = reached
        assert (greeted, listens(port)) == (SERVER_GREETS, False)
        assert lost.value.fix == "tinycloud status voltron"
        assert cancellations() == 0


def cancellations() -> int:
    """Return how many cancellations this task has not seen the end of."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def test_a_loss_ends_all_tunnels_of_a_task() -> None:
    """Nested blocks over one connection end together, with one error."""
    async with launched(0) as cloud:
        node = (await nodes(cloud))["master-0"]

        async def use() -> None:
            async with cloud, cloud.forward(node.port), cloud.forward(node.port), cloud.forward():
                kill(node)
                await asyncio.Event().wait()

        with pytest.raises(ConnectionLost):
            await use()
        assert cancellations() == 0
        await asyncio.sleep(0)  # a cancellation that was left behind would come now


async def test_what_the_block_raises_goes_before() -> None:
    """An error of the block's own is not replaced, and a cancellation from outside stays one."""
    async with launched(0) as cloud:
        node = (await nodes(cloud))["master-0"]
        with pytest.raises(ZeroDivisionError):
            async with cloud.forward(node.port):
                raise ZeroDivisionError
        there = asyncio.Event()

        async def wait() -> None:
            async with cloud.forward(node.port):
                there.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(wait())
        await there.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), cloud.forward(node.port):
                await asyncio.Event().wait()
        assert established_to(node.port) == 0


async def test_a_block_may_be_left_by_another_task() -> None:
    """As fixtures of tests do it: who entered is gone, and nobody else is cancelled for that."""
    async with launched(0) as cloud:
        node = (await nodes(cloud))["master-0"]
        block = cloud.forward(node.port)
        address = await asyncio.ensure_future(_entered(block))
        assert await greeting(address) == SERVER_GREETS
        kill(node)
        await asyncio.sleep(0)
        await block.__aexit__(None, None, None)
        assert not listens(address[1])


async def _entered(block: object) -> tuple[str, int]:
    address: tuple[str, int] = await block.__aenter__()  # type: ignore[attr-defined]  # it is one
    return address


async def test_a_node_that_is_stopped_can_not_be_gone_through() -> None:
    """That is an error before anybody listens."""
    async with launched(0) as cloud:
        await cloud.stop()
        with pytest.raises(Unreachable, match="master-0 is stopped"):
            async with cloud.forward(22):
                raise AssertionError("it listens")
        with pytest.raises(InvalidInput, match="no node master-7"):
            async with cloud.forward(22, index=7):
                raise AssertionError("it listens")
        with pytest.raises(InvalidInput, match="no group 'nobody'"):
            async with cloud.forward(22, tag="nobody"):
                raise AssertionError("it listens")


async def test_a_port_in_use_leaves_nothing_open() -> None:
    """It is this machine's trouble; the connection that was made for it is closed."""
    async with launched(0) as cloud:
        node = (await nodes(cloud))["master-0"]
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(MachineError):
            async with cloud.forward(node.port, listen=taken.getsockname()):
                raise AssertionError("it listens")
        assert established_to(node.port) == 0


async def test_it_needs_a_cluster() -> None:
    """A cluster that nobody knows is none, and looking for it leaves nothing."""
    with pytest.raises(NoSuchCluster):
        async with local().forward(22):
            raise AssertionError("it listens")
    assert files() == []


async def test_another_key_can_be_used(tmp_path: Path) -> None:
    """A key file is checked before anything is touched, and is the one that is offered."""
    missing = tmp_path / "missing"
    with pytest.raises(InvalidInput, match="missing"):
        async with local().forward(22, keyfile=missing):
            raise AssertionError("it listens")
    async with launched(0) as cloud:
        (own,) = (path for path in (tmp_path / "state").rglob("key") if path.is_file())
        port = (await nodes(cloud))["master-0"].port
        async with cloud.forward(port, keyfile=own) as address:
            assert await greeting(address) == SERVER_GREETS


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_there_are_only_so_many_ports(port: int) -> None:
    """A port that can't be is bad input, here and there; and 0 is a free one here alone."""
    with pytest.raises(InvalidInput, match=str(port)):
        checked_listen(("127.0.0.1", port))
    with pytest.raises(InvalidInput, match=str(port)):
        checked_target("db", port)
    with pytest.raises(InvalidInput):
        checked_target("db", 0)
    assert checked_listen(("127.0.0.1", 0)) == ("127.0.0.1", 0)
    assert checked_target("db", 65535) == ("db", 65535)


@pytest.mark.parametrize("address", ["", "localhost", "*", "10.0.0", "1.2.3.4 ", "\x1b[2J"])
def test_only_an_ip_address_is_listened_on(address: str) -> None:
    """A name could stand for more than one address, or for another one tomorrow."""
    with pytest.raises(InvalidInput, match="not an IP address"):
        checked_listen((address, 8787))


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_any_ip_address_can_be_asked_for(address: str) -> None:
    """Whether this machine has it is found out later."""
    assert checked_listen((address, 8787)) == (address, 8787)


@pytest.mark.parametrize("host", ["", "a b", "a\nb", "a\0b", "ü", "\udcff", "a" * 256])
def test_a_host_is_a_word(host: str) -> None:
    """What can be no name and no address is bad input, and no trouble of the server's."""
    with pytest.raises(InvalidInput, match="not a host"):
        checked_target(host, 80)
