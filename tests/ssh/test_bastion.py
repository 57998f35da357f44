"""Nodes behind a bastion: one connection for all of them, and nobody is trusted unproven."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from openssh import OpenSSH, free_port, openssh

from tinycloud.errors import TinycloudError, Unreachable, Untrusted
from tinycloud.fanout import fan_out
from tinycloud.host import parsed_host
from tinycloud.node import Node
from tinycloud.result import State
from tinycloud.ssh import dial
from tinycloud.ssh.bastion import Bastion, Hop, Route, bastion
from tinycloud.ssh.connection import Connection
from tinycloud.ssh.connections import Connections

from .client import Run, until
from .relay import listening, relay, say_nothing

ADDRESSES = [f"127.0.0.{number}" for number in range(2, 14)]


def logins(server: OpenSSH) -> int:
    """Return how often somebody has logged in to this server."""
    return server.log.read_text().count("Accepted publickey")


@pytest.fixture(scope="module")
def targets(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """One sshd with default settings that stands for many machines: it has many addresses."""
    lines = [f"ListenAddress {address}" for address in ADDRESSES]
    with openssh(program("sshd"), *lines) as server:
        yield server


@pytest.fixture
def gate(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """The bastion: an sshd with default settings, host key and login key of its own."""
    with openssh(program("sshd")) as server:
        yield server


@dataclass
class Behind:
    """Connections to nodes that are all behind one bastion, and what was proven."""

    gate: OpenSSH
    port: int = 0
    key: bytes = b""
    host_key: str | None = ""
    proofs: list[tuple[Node, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = self.key or self.gate.login_key  # which is written differently each time

    @property
    def hop(self) -> Hop:
        """The way over the bastion."""
        node = self.gate.node()
        place = parsed_host(f"{node.username}@127.0.0.1:{self.port or self.gate.port}")
        return Hop(bastion(place, username="nobody"), self.key)

    @asynccontextmanager
    async def connections(self) -> AsyncIterator[Connections]:
        """Have connections that close with the block."""

        def pinned(node: Node) -> str | None:
            if not isinstance(node, Bastion):
                return node.host_key
            return self.gate.host_key if self.host_key == "" else self.host_key

        def route(node: Node, key: bytes) -> Route:
            return Route(key, None if isinstance(node, Bastion) else self.hop)

        opened = Connections(
            pinned=pinned, proven=lambda node, key: self.proofs.append((node, key)), route=route
        )
        async with opened:
            yield opened


def nodes(targets: OpenSSH, count: int) -> list[Node]:
    """Return so many nodes, all of which this server is."""
    return [
        replace(
            targets.node(),
            id=f"node-{index}",
            index=index,
            address=ADDRESSES[index % len(ADDRESSES)],
        )
        for index in range(count)
    ]


async def got(
    opened: Connections, targets: OpenSSH, some: Sequence[Node], *, accept_new: bool = False
) -> tuple[Connection | TinycloudError, ...]:
    """Connect to all of these nodes at once; return the connections, or what went wrong."""

    async def get(node: Node) -> Connection | TinycloudError:
        try:
            return await opened.get(node, targets.login_key, accept_new=accept_new)
        except TinycloudError as error:
            return error

    return await fan_out(get, some)


async def said(
    connection: Connection | TinycloudError, command: str = "echo hello", ran: Run | None = None
) -> Run:
    """Run a command over a connection, to its end."""
    assert not isinstance(connection, TinycloudError), connection
    ran = ran or Run()
    ran.ending = await connection.run(command, emit=ran.emit, variables={})
    return ran


async def test_sixty_targets_are_one_login(gate: OpenSSH, targets: OpenSSH) -> None:
    """All nodes share one connection to the bastion; when they are left, so is the bastion."""
    before = logins(targets)
    async with Behind(gate).connections() as opened:
        links = await got(opened, targets, nodes(targets, 60))
        runs = await fan_out(said, links)
        assert Counter((run.state, bytes(run.stdout)) for run in runs) == {
            (State.OK, b"hello\n"): 60
        }
        assert logins(gate) == 1
        assert logins(targets) - before == 60
    await until(lambda: gate.sessions() == targets.sessions() == 0)


async def test_every_host_proves_itself(gate: OpenSSH, targets: OpenSSH) -> None:
    """The bastion proves its own key and each node its own, though the address may be another's."""
    behind = Behind(gate)
    async with behind.connections() as opened:
        await got(opened, targets, nodes(targets, 3))
    assert Counter(key for _, key in behind.proofs) == {
        " ".join(gate.host_key.split()[:2]): 1,
        " ".join(targets.host_key.split()[:2]): 3,
    }


async def test_a_node_that_is_another(gate: OpenSSH, targets: OpenSSH) -> None:
    """Behind a bastion, too, nobody logs in to a node that did not prove itself."""
    right, wrong = nodes(targets, 2)
    before = logins(targets)
    async with Behind(gate).connections() as opened:
        link, error = await got(opened, targets, [right, replace(wrong, host_key=gate.host_key)])
        assert isinstance(error, Untrusted)
        assert error.what == "worker-1 did not prove its identity"
        assert (await said(link)).state is State.OK
    assert logins(targets) - before == 1


async def test_a_bastion_that_is_another(gate: OpenSSH, targets: OpenSSH) -> None:
    """Nothing goes through a bastion that did not prove itself, and it is named."""
    before = logins(targets)
    async with Behind(gate, host_key=targets.host_key).connections() as opened:
        errors = await got(opened, targets, nodes(targets, 3), accept_new=True)
    for index, error in enumerate(errors):
        assert isinstance(error, Untrusted)
        name = f"bastion {gate.node().username}@127.0.0.1:{gate.port}"
        assert error.what == f"can't reach worker-{index} via {name}"
        assert error.cause.startswith("that bastion did not prove its identity (127.0.0.1 port")
        assert error.fix
    assert (logins(gate), logins(targets) - before) == (0, 0)


async def test_an_unknown_bastion(gate: OpenSSH, targets: OpenSSH) -> None:
    """A bastion of which no key is known is trusted by explicit wish alone, and then pinned."""
    behind = Behind(gate, host_key=None)
    async with behind.connections() as opened:
        (error,) = await got(opened, targets, nodes(targets, 1))
        assert isinstance(error, Untrusted)
        assert gate.host.get_fingerprint() in error.cause
        assert logins(gate) == 0
        (link,) = await got(opened, targets, nodes(targets, 1), accept_new=True)
        assert (await said(link)).state is State.OK
    assert [node.name.split("@")[0] for node, _ in behind.proofs] == [
        f"bastion {gate.node().username}",
        "worker-0",
    ]


async def test_a_bastion_with_a_key_of_its_own(gate: OpenSSH, targets: OpenSSH) -> None:
    """A key that the bastion refuses is tried once, however many nodes are behind it."""
    async with (
        listening(relay(gate.port)) as wire,
        Behind(gate, port=wire.port, key=targets.login_key).connections() as opened,
    ):
        errors = await got(opened, targets, nodes(targets, 5))
        assert {type(error) for error in errors} == {Unreachable}
        assert all("that bastion" in str(error) for error in errors)
        assert wire.accepted == 1


async def test_a_bastion_that_says_nothing(
    gate: OpenSSH, targets: OpenSSH, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All nodes behind it are given up together, after one attempt."""
    monkeypatch.setattr(dial, "CONNECT_TIMEOUT", 0.3)
    async with (
        listening(say_nothing) as silent,
        Behind(gate, port=silent.port).connections() as opened,
    ):
        async with asyncio.timeout(5):
            errors = await got(opened, targets, nodes(targets, 60))
    assert silent.accepted == 1
    assert all("that bastion" in str(error) and "greet" in str(error) for error in errors)


async def test_a_bastion_that_dies(gate: OpenSSH, targets: OpenSSH) -> None:
    """Commands behind it are lost and name it; the next ones reconnect, once for all."""
    async with (
        listening(relay(gate.port)) as wire,
        Behind(gate, port=wire.port).connections() as opened,
    ):
        links = await got(opened, targets, nodes(targets, 8))
        runs = [Run() for _ in links]
        command = "echo begun; sleep 1000"
        running = [
            asyncio.ensure_future(said(link, command, run))
            for link, run in zip(links, runs, strict=True)
        ]
        await until(lambda: all(run.stdout for run in runs))
        wire.cut()
        for run in await asyncio.gather(*running):
            assert run.state is State.LOST
            assert bytes(run.stdout) == b"begun\n"
            assert f"bastion {gate.node().username}@127.0.0.1:{wire.port}" in run.error
        again = await got(opened, targets, nodes(targets, 8))
        assert {(await said(link)).state for link in again} == {State.OK}
        assert (wire.accepted, logins(gate)) == (2, 2)
    await until(lambda: not targets.running())


async def test_a_node_that_the_bastion_does_not_get_to(gate: OpenSSH, targets: OpenSSH) -> None:
    """It is unreachable and says so in the bastion's words; the others are there."""
    near, far = nodes(targets, 2)
    async with Behind(gate).connections() as opened:
        link, error = await got(opened, targets, [near, replace(far, port=free_port())])
        assert isinstance(error, Unreachable)
        assert error.cause == "its bastion could not open a way to it: Connection refused"
        assert (await said(link)).state is State.OK


async def test_a_bastion_that_does_not_forward(
    program: Callable[[str], str], targets: OpenSSH
) -> None:
    """That is said, with the remedy."""
    with openssh(program("sshd"), "AllowTcpForwarding no") as closed:
        async with Behind(closed).connections() as opened:
            (error,) = await got(opened, targets, nodes(targets, 1))
    assert isinstance(error, Unreachable)
    assert error.cause == "its bastion could not open a way to it: open failed"
    assert "AllowTcpForwarding" in error.fix


async def test_a_node_that_hangs_up_behind_a_bastion(gate: OpenSSH, targets: OpenSSH) -> None:
    """What a server says instead of a greeting is heard through a bastion too, and asked again."""
    turns = Counter[str]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turns["all"] += 1
        if turns["all"] <= 2:
            writer.write(b"Exceeded MaxStartups\r\n")
            await writer.drain()
            writer.close()
            return
        await relay(targets.port)(reader, writer)

    async with listening(talk) as wire, Behind(gate).connections() as opened:
        (node,) = nodes(targets, 1)
        place = replace(node, address="127.0.0.1", port=wire.port)
        (link,) = await got(opened, targets, [place])
        assert (await said(link)).state is State.OK
    assert turns["all"] == 3


async def test_much_output_through_a_bastion(gate: OpenSSH, targets: OpenSSH) -> None:
    """Ten nodes that print a megabyte each lose no byte of it."""
    async with Behind(gate).connections() as opened:
        links = await got(opened, targets, nodes(targets, 10))
        runs = await fan_out(lambda link: said(link, "head -c 1000000 /dev/zero"), links)
    assert [len(run.stdout) for run in runs] == 10 * [1_000_000]
