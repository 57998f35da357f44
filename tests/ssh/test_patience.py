"""Servers that take no more logins for now: asked again, but only while nothing can have run."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from openssh import OpenSSH, openssh

from tinycloud.errors import TinycloudError, Unreachable
from tinycloud.fanout import fan_out
from tinycloud.node import Node
from tinycloud.ssh import patience
from tinycloud.ssh.connections import HANDSHAKES, Connections
from tinycloud.ssh.dial import Dropped
from tinycloud.ssh.patience import Patience

from .client import connections
from .relay import Talk, listening, relay, say

Program = Callable[[str], str]
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 14)]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often a server is asked again, and what for."""
    found = Counter[str]()

    async def wait(self: Patience, error: Dropped) -> None:
        found[error.said] += 1
        await original(self, error)

    original = Patience.wait
    monkeypatch.setattr(Patience, "wait", wait)
    return found


async def outcomes(opened: Connections, server: OpenSSH, nodes: list[Node]) -> Counter[str]:
    """Connect to all of these nodes at once; return how often that ended how."""
    key = server.login_key

    async def one(node: Node) -> str:
        try:
            await opened.get(node, key)
        except TinycloudError as error:
            return str(error)
        return "ok"

    return Counter(await fan_out(one, nodes))


def many(node: Node, addresses: list[str]) -> list[Node]:
    """Return 200 nodes at these addresses."""
    return [
        replace(node, id=f"node-{index}", index=index, address=addresses[index % len(addresses)])
        for index in range(200)
    ]


async def test_all_of_200_on_one_address(program: Program) -> None:
    """An sshd with default settings takes 200 nodes on one address, and none has to wait."""
    with openssh(program("sshd")) as server:
        async with connections(server) as opened:
            nodes = many(server.node(), ["127.0.0.1"])
            assert await outcomes(opened, server, nodes) == {"ok": 200}
        assert server.log.read_text().count("Accepted publickey") == 200


async def test_all_of_200_on_a_server_that_drops_some(
    program: Program, waits: Counter[str]
) -> None:
    """With more logins at once than MaxStartups, some are dropped: all get in at the end."""
    lines = [f"ListenAddress {address}" for address in ADDRESSES]
    with openssh(program("sshd"), *lines) as server:
        async with connections(server) as opened:
            assert HANDSHAKES > 10  # what a default sshd takes before it begins to drop
            nodes = many(server.node(), ADDRESSES)
            assert await outcomes(opened, server, nodes) == {"ok": 200}
        assert server.log.read_text().count("Accepted publickey") == 200
    assert waits["Exceeded MaxStartups"] == waits.total() > 0


def throttled(times: int, words: bytes, port: int) -> Talk:
    """Hang up on the first connections, saying this; pass the others on to a port."""
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await (say(words) if count <= times else relay(port))(reader, writer)

    return talk


@pytest.mark.parametrize(
    "words", [b"", b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"]
)
async def test_dropped_and_then_taken(server: OpenSSH, words: bytes) -> None:
    """A server that hangs up before its greeting, with a reason or without, is asked again."""
    async with (
        listening(throttled(3, words, server.port)) as wire,
        connections(server) as opened,
    ):
        await opened.get(replace(server.node(), port=wire.port), server.login_key)
    assert wire.accepted == 4


async def test_one_that_has_greeted_is_not_asked_again(server: OpenSSH) -> None:
    """A connection that breaks after the greeting is an error at once: something may have run."""
    words = b"SSH-2.0-OpenSSH_9.2\r\n"
    async with listening(say(words)) as wire, connections(server) as opened:
        with pytest.raises(Unreachable):
            await opened.get(replace(server.node(), port=wire.port), server.login_key)
    assert wire.accepted == 1


async def test_a_refused_key_is_not_tried_again(server: OpenSSH) -> None:
    """A server that refuses our key is asked once: newer ones punish more than that."""
    node = replace(server.node(), username="nobody-of-that-name")
    async with listening(relay(server.port)) as wire, connections(server) as opened:
        with pytest.raises(Unreachable, match="refused our key"):
            await opened.get(replace(node, port=wire.port), server.login_key)
    assert wire.accepted == 1


@pytest.mark.parametrize(("words", "limit"), [(b"", "UNTOLD"), (b"Go away\r\n", "TOLD")])
async def test_patience_ends(
    server: OpenSSH, monkeypatch: pytest.MonkeyPatch, words: bytes, limit: str
) -> None:
    """A server that always hangs up is given up after a while, and is quoted."""
    monkeypatch.setattr(patience, "TOLD", 0.0)
    monkeypatch.setattr(patience, "UNTOLD", 0.0)
    monkeypatch.setattr(patience, limit, 1.0)
    async with listening(say(words)) as wire, connections(server) as opened:
        with pytest.raises(Dropped) as caught:
            await opened.get(replace(server.node(), port=wire.port), server.login_key)
    assert 2 <= wire.accepted <= 5
    assert caught.value.said.encode() == words.strip()
    assert caught.value.said in caught.value.cause
