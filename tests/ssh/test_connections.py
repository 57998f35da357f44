"""Connections of a cluster: two windows, kept warm, patient with machines that boot."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import asyncssh
import pytest
from openssh import OpenSSH, openssh

from tinycloud.errors import TinycloudError, Unreachable
from tinycloud.fanout import fan_out
from tinycloud.node import Node, Status
from tinycloud.result import State
from tinycloud.ssh import connections as windows
from tinycloud.ssh import dial, patience
from tinycloud.ssh.connections import Connections

from .client import connections, run, until
from .relay import Listener, listening, relay, say_nothing


def nodes(server: OpenSSH, count: int) -> list[Node]:
    """Return so many nodes, which are all this one server."""
    return [replace(server.node(), id=f"i-{index}", index=index) for index in range(count)]


async def alive() -> None:
    """Take note that a node still runs."""


async def test_hundred_at_once(server: OpenSSH) -> None:
    """100 connections to one sshd with default settings all come up."""
    async with connections(server) as opened:
        links = await fan_out(lambda node: opened.get(node, server.login_key), nodes(server, 100))
        assert server.sessions() == len({id(link) for link in links}) == 100
    await until(lambda: not server.sessions())


async def test_few_at_a_time(
    program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that turns most away gets them later: only who has been told nothing comes again."""
    monkeypatch.setattr(patience, "PAUSE", (0.05, 0.1))
    with openssh(program("sshd"), "MaxStartups 2") as server:
        async with connections(server) as opened:
            await fan_out(lambda node: opened.get(node, server.login_key), nodes(server, 20))
            assert server.sessions() == 20
        assert "drop connection" in server.log.read_text()  # or this would prove nothing


async def attempts(ports: list[Listener], each: int) -> None:
    """Try to connect, in vain, to so many nodes on each of these ports."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    line = key.export_public_key().decode()
    asked = [
        Node(
            tag="worker",
            index=index,
            id=f"i-{listener.port}-{index}",
            status=Status.RUNNING,
            address="127.0.0.1",
            port=listener.port,
        )
        for listener in ports
        for index in range(each)
    ]

    async def attempt(node: Node) -> None:
        with pytest.raises(Unreachable):
            await opened.get(node, key.export_private_key())

    async with Connections(pinned=lambda _: line, proven=lambda *_: None) as opened:
        await fan_out(attempt, asked)


async def test_window_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes with one server are under way 8 at a time."""
    monkeypatch.setattr(dial, "CONNECT_TIMEOUT", 0.2)
    async with listening(say_nothing) as listener:
        await attempts([listener], 20)
    assert (listener.accepted, listener.most) == (20, 8)


async def test_window_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes with all servers together are under way 64 at a time."""
    monkeypatch.setattr(dial, "CONNECT_TIMEOUT", 0.5)
    together = Listener()
    async with AsyncExitStack() as stack:
        ports = []
        for _ in range(20):
            listener = await stack.enter_async_context(listening(together.counted(say_nothing)))
            ports.append(listener)
        await attempts(ports, 5)
    assert (together.accepted, together.most) == (100, 64)


async def test_kept_warm(server: OpenSSH) -> None:
    """One connection serves all who ask for the same node and key; leaving closes it."""
    async with connections(server) as opened:
        asked = [opened.get(server.node(), server.login_key) for _ in range(5)]
        assert len({id(link) for link in await asyncio.gather(*asked)}) == 1
        assert await opened.get(server.node(), server.login_key) is await opened.get(
            server.node(), server.login_key
        )
        assert server.sessions() == 1
    await until(lambda: not server.sessions())


async def test_opened_again(server: OpenSSH) -> None:
    """A connection that was lost is opened again for who asks next."""
    async with listening(relay(server.port)) as wire, connections(server) as opened:
        node = replace(server.node(), port=wire.port)
        first = await opened.get(node, server.login_key)
        wire.cut()
        await until(lambda: first.is_closed)
        second = await opened.get(node, server.login_key)
        assert (await run(second, "echo again")).stdout == b"again\n"


async def test_late_server(program: Callable[[str], str]) -> None:
    """A node whose sshd comes up late is waited for; it is asked about between attempts."""
    asked = 0
    with openssh(program("sshd"), late=True) as server:

        async def boot() -> None:
            nonlocal asked
            asked += 1
            if asked == 3:
                server.start()

        async with connections(server) as opened:
            link = await opened.get_booting(
                server.node(), server.login_key, deadline=time.monotonic() + 10, alive=boot
            )
            assert (await run(link, "true")).state is State.OK
    assert asked == 3


async def test_deadline(server: OpenSSH) -> None:
    """A node that does not come up is given up at the deadline, with the last cause."""
    async with connections(server) as opened:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="connection refused"):
            await opened.get_booting(
                replace(server.node(), port=1), server.login_key, deadline=begun + 0.5, alive=alive
            )
        assert 0.2 < time.monotonic() - begun < 1


async def test_deadline_of_an_attempt(server: OpenSSH) -> None:
    """An attempt that is still under way at the deadline is given up."""
    async with listening(say_nothing) as listener, connections(server) as opened:
        begun = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            await opened.get_booting(
                replace(server.node(), port=listener.port),
                server.login_key,
                deadline=begun + 0.5,
                alive=alive,
            )
        assert time.monotonic() - begun < 2
        await until(lambda: listener.now == 0)
    assert caught.value.cause
    assert caught.value.fix


async def test_not_alive(server: OpenSSH) -> None:
    """A node that is found not to run any more is not waited for."""

    async def gone() -> None:
        raise Unreachable("worker-0 is gone")

    async with connections(server) as opened:
        with pytest.raises(Unreachable, match="gone"):
            await opened.get_booting(
                replace(server.node(), port=1),
                server.login_key,
                deadline=time.monotonic() + 60,
                alive=gone,
            )


@pytest.mark.parametrize("wrong", ["key", "host"])
async def test_no_second_attempt(program: Callable[[str], str], wrong: str) -> None:
    """What time can't mend is not tried again: a refused login, another host key."""
    other = asyncssh.generate_private_key("ssh-ed25519")
    with openssh(program("sshd"), "LogLevel VERBOSE") as server:
        node, key = server.node(), server.login_key
        if wrong == "key":
            key = other.export_private_key()
        else:
            node = replace(node, host_key=other.export_public_key().decode())
        async with connections(server) as opened:
            with pytest.raises(TinycloudError):
                await opened.get_booting(node, key, deadline=time.monotonic() + 60, alive=alive)
        assert server.log.read_text().count("Connection from") == 1


async def test_cancelled(server: OpenSSH) -> None:
    """Who is cancelled while it waits for its turn takes no turn from others."""
    async with connections(server) as opened:
        tasks = [
            asyncio.ensure_future(opened.get(node, server.login_key)) for node in nodes(server, 30)
        ]
        await until(lambda: any(task.done() for task in tasks))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await fan_out(lambda node: opened.get(node, server.login_key), nodes(server, 30))
    await until(lambda: not server.sessions())


def test_windows() -> None:
    """The windows are those that a default sshd and this machine stand."""
    assert (windows.HANDSHAKES, windows.HANDSHAKES_PER_SERVER) == (64, 8)
