"""Our client against a server, in few words."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh
from openssh import OpenSSH

from tinycloud.node import Node
from tinycloud.result import State
from tinycloud.ssh.connect import connect
from tinycloud.ssh.connection import Connection, Ending
from tinycloud.ssh.connections import Connections
from tinycloud.ssh.link import Link
from tinycloud.ssh.script import Script
from tinycloud.ssh.stop import Stop

PATIENCE = 10.0


@asynccontextmanager
async def connected(
    server: OpenSSH, account: str | None = None, *, node: Node | None = None
) -> AsyncIterator[Link]:
    """Have a connection to one of the server's accounts for as long as the block lasts."""
    target = server.node(account) if node is None else node
    link, _ = await connect(target, key=server.login_key, host_key=server.host_key)
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def bare(
    server: OpenSSH, account: str | None = None
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Have a connection that is asyncssh's own, to compare with."""
    node = server.node(account)
    async with asyncssh.connect(
        "127.0.0.1",
        node.port,
        config=None,
        username=node.username,
        client_keys=[asyncssh.import_private_key(server.login_key)],
        agent_path=None,
        known_hosts=([server.host.convert_to_public()], [], []),
    ) as connection:
        yield connection


def connections(server: OpenSSH) -> Connections:
    """Return connections that trust every node's own host key."""
    return Connections(pinned=lambda node: node.host_key, proven=lambda node, key: None)


@dataclass
class Run:
    """A command that runs, or ran."""

    pieces: dict[str, list[bytes]] = field(default_factory=lambda: {"stdout": [], "stderr": []})
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ending: Ending | None = None

    async def emit(self, stream: str, data: bytes) -> None:
        """Keep a piece of output."""
        self.pieces[stream].append(data)
        self.begun.set()

    @property
    def stdout(self) -> bytes:
        """What it has printed so far."""
        return b"".join(self.pieces["stdout"])

    @property
    def stderr(self) -> bytes:
        """What it has complained of so far."""
        return b"".join(self.pieces["stderr"])

    @property
    def state(self) -> State:
        """How it ended."""
        assert self.ending is not None
        return self.ending.state

    @property
    def error(self) -> str:
        """What is said of its end."""
        assert self.ending is not None
        return self.ending.error or ""


async def run(
    link: Connection,
    command: str | Script,
    *,
    timeout: float | None = None,
    variables: Mapping[str, str] | None = None,
    sudo: bool = False,
    input: AsyncIterable[bytes] | None = None,
) -> Run:
    """Run a command to its end."""
    ran = Run()
    ran.ending = await link.run(
        command,
        emit=ran.emit,
        variables=variables or {},
        timeout=timeout,
        sudo=sudo,
        input=input,
    )
    return ran


@asynccontextmanager
async def running(
    link: Link,
    command: str | Script,
    *,
    sudo: bool = False,
    input: AsyncIterable[bytes] | None = None,
    stop: Stop | None = None,
) -> AsyncIterator[tuple[Run, "asyncio.Task[Ending]"]]:
    """Have a command under way that has begun to print; it is over when the block is."""
    ran = Run()
    task = asyncio.ensure_future(
        link.run(command, emit=ran.emit, variables={}, sudo=sudo, input=input, stop=stop)
    )
    begun = asyncio.ensure_future(ran.begun.wait())
    try:
        await asyncio.wait([task, begun], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert ran.begun.is_set(), f"{command!r} printed nothing: {task}"
        yield ran, task
    finally:
        begun.cancel()
        task.cancel()
        await asyncio.wait([task])


async def until(happened: Callable[[], bool], within: float = PATIENCE) -> None:
    """Wait until something has happened; fail if it takes too long."""
    deadline = time.monotonic() + within
    while not happened():
        assert time.monotonic() < deadline, f"not within {within:g} s"
        await asyncio.sleep(0.02)
