"""Tunnels through OpenSSH's sshd with default settings: every byte, every end, and no more."""

import asyncio
import hashlib
import logging
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

import pytest
from openssh import OpenSSH, free_port, openssh

from tinycloud.errors import InvalidInput, MachineError
from tinycloud.fanout import fan_out
from tinycloud.result import State
from tinycloud.ssh.connection import Address
from tinycloud.ssh.link import Link

from .client import connected, run, until
from .relay import Listener, Talk, listening, say_nothing

HERE = ("127.0.0.1", 0)
LOG = "tinycloud.ssh.forward"
MUCH = 64 << 20
"""More bytes than all the buffers on the way hold."""

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def through(server: OpenSSH, talk: Talk) -> AsyncIterator[tuple[Link, Listener, Address]]:
    """Have a target that talks so, and a tunnel to it through the server."""
    async with (
        connected(server) as link,
        listening(talk) as target,
        link.forward(HERE, ("127.0.0.1", target.port)) as address,
    ):
        yield link, target, address


@asynccontextmanager
async def client(address: Address) -> AsyncIterator[Client]:
    """Be connected to this address for as long as the block lasts."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say everything back."""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def asked(address: Address, question: bytes) -> bytes:
    """Return all that is answered to this question, after which we have no more to say."""
    async with client(address) as (reader, writer):
        writer.write(question)
        writer.write_eof()
        return await reader.read()


async def test_every_byte_arrives(server: OpenSSH) -> None:
    """What goes through a tunnel comes out as it went in, in both directions at once."""
    data = os.urandom(1 << 20) * 20
    async with through(server, echo) as (_, _, address), client(address) as (reader, writer):

        async def send() -> None:
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.ensure_future(send())
        heard = await reader.read()
        await sending
    assert hashlib.sha256(heard).digest() == hashlib.sha256(data).digest()


async def test_either_side_may_end_first(server: OpenSSH) -> None:
    """The end of one direction is passed on, and the other one goes on."""
    heard: list[bytes] = []

    async def hear_then_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d bytes" % len(await reader.read()))
        writer.close()

    async def end_then_hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"go on")
        writer.write_eof()
        heard.append(await reader.read())
        writer.close()

    async with through(server, hear_then_answer) as (_, _, address):
        assert await asked(address, bytes(3_000_000)) == b"3000000 bytes"
    async with (
        through(server, end_then_hear) as (_, _, address),
        client(address) as (reader, writer),
    ):
        assert await reader.read() == b"go on"
        writer.write(bytes(3_000_000))
        writer.write_eof()
        await until(lambda: bool(heard))
    assert heard == [bytes(3_000_000)]


async def test_who_has_closed_is_gone_at_the_other_end(server: OpenSSH) -> None:
    """When both directions have ended, neither side keeps a connection."""
    async with through(server, echo) as (_, target, address):
        assert await asked(address, b"hello") == b"hello"
        await until(lambda: target.now == 0)
        async with client(address) as (_, writer):
            writer.write(b"hello")
            await until(lambda: target.now == 1)
        await until(lambda: target.now == 0)


async def test_two_hundred_at_once(server: OpenSSH) -> None:
    """MaxSessions (10 with sshd) is no limit for tunnels: 200 connections at once all work."""
    here = asyncio.Barrier(200)

    async def wait_for_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word = await reader.read()
        await here.wait()
        writer.write(word)
        writer.close()

    words = [b"client %d" % number for number in range(200)]
    async with through(server, wait_for_all) as (_, target, address):
        assert list(await fan_out(lambda word: asked(address, word), words)) == words
        assert target.most == 200


async def test_commands_go_on_beside_a_tunnel(server: OpenSSH) -> None:
    """A tunnel that is never done leaves room for commands over the same connection."""
    heard = [0]

    async def hear(reader: asyncio.StreamReader) -> None:
        while data := await reader.read(1 << 16):
            heard[0] += len(data)

    async with (
        through(server, sending(1 << 50, [0])) as (link, _, address),
        client(address) as (reader, _),
    ):
        hearing = asyncio.ensure_future(hear(reader))
        await until(lambda: heard[0] > 1 << 20)
        before = heard[0]
        assert (await run(link, "echo still here")).stdout == b"still here\n"
        await until(lambda: heard[0] > before)
        hearing.cancel()


async def test_a_target_that_refuses_costs_one_connection(
    server: OpenSSH, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is reset, so that no one takes it for an empty answer; the tunnel lives on."""
    port = free_port()
    async with (
        connected(server) as link,
        link.forward(HERE, ("127.0.0.1", port)) as address,
    ):
        async with client(address) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read()
        (record,) = [record for record in caplog.records if record.name == LOG]
        assert record.levelno == logging.WARNING
        assert "worker-0: can't connect to 127.0.0.1:" in record.getMessage()
        assert "refused" in record.getMessage()
        late = await asyncio.start_server(echo, "127.0.0.1", port)
        assert await asked(address, b"now") == b"now"
        late.close()


async def test_a_server_that_allows_no_tunnels(
    program: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    """What the server forbids is said, and can be told from a target that is not there."""
    with openssh(program("sshd"), "AllowTcpForwarding no") as server:
        async with connected(server) as link:
            async with link.forward(HERE, ("127.0.0.1", 1)) as address:
                with pytest.raises(ConnectionResetError):
                    await asked(address, b"hello")
            async with link.forward(HERE, None) as address, client(address) as (reader, writer):
                writer.write(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x01")
                assert await reader.read() == b"\x05\x00\x05\x02\x00\x01" + bytes(6)
    assert "forbids it" in caplog.text


def sending(much: int, sent: list[int]) -> Talk:
    """Send so many bytes, and note how many have gone."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _number in range(much // 65536):
            writer.write(bytes(65536))
            await writer.drain()
            sent[0] += 65536
        writer.close()
        await writer.wait_closed()

    return talk


async def test_a_client_that_does_not_read_stops_the_target(server: OpenSSH) -> None:
    """What nobody reads waits at the target and fills no memory; then all of it arrives."""
    sent = [0]
    async with (
        through(server, sending(MUCH, sent)) as (link, _, address),
        listening(echo) as other,
        link.forward(HERE, ("127.0.0.1", other.port)) as beside,
        client(address) as (reader, writer),
    ):
        writer.write_eof()
        assert await asked(beside, bytes(10_000_000)) == bytes(10_000_000)
        assert 0 < sent[0] < MUCH // 2
        heard = 0
        while data := await reader.read(1 << 16):
            heard += len(data)
    assert heard == MUCH


async def test_a_target_that_does_not_read_stops_the_client(server: OpenSSH) -> None:
    """What the target does not read waits at the client; then all of it arrives."""
    read, begin = [0], asyncio.Event()

    async def wait_then_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # there is no other way
        await begin.wait()
        reader._transport.resume_reading()  # type: ignore[attr-defined]  # nor here
        while data := await reader.read(1 << 16):
            read[0] += len(data)
        writer.close()

    async with (
        through(server, wait_then_read) as (link, _, address),
        listening(echo) as other,
        link.forward(HERE, ("127.0.0.1", other.port)) as beside,
        client(address) as (reader, writer),
    ):
        sent = [0]
        client_side = asyncio.ensure_future(sending(MUCH, sent)(reader, writer))
        assert await asked(beside, bytes(10_000_000)) == bytes(10_000_000)
        assert 0 < sent[0] < MUCH // 2
        begin.set()
        await client_side
        await until(lambda: read[0] == MUCH)


async def test_all_arrives_although_the_target_has_closed(server: OpenSSH) -> None:
    """A client that is slow gets the rest, and a proper end, after both sides have closed."""
    sent = [0]
    async with (
        through(server, sending(8 << 20, sent)) as (_, _, address),
        client(address) as (reader, writer),
    ):
        writer.write_eof()
        heard = 0
        while data := await reader.read(1 << 14):
            heard += len(data)
            await asyncio.sleep(0)
    assert heard == sent[0] == 8 << 20


async def test_the_end_of_the_block_ends_its_connections(server: OpenSSH) -> None:
    """After the block nobody listens, who was connected is reset, and no task is left."""
    async with connected(server) as link, listening(say_nothing) as target:
        tasks = asyncio.all_tasks()
        async with link.forward(HERE, ("127.0.0.1", target.port)) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"hello")
            await until(lambda: target.now == 1)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        await until(lambda: target.now == 0)
        assert asyncio.all_tasks() - tasks == set()
        assert (await run(link, "true")).state is State.OK


async def test_the_end_of_a_block_leaves_other_tunnels_alone(server: OpenSSH) -> None:
    """Tunnels over one connection don't know of each other."""
    async with through(server, echo) as (link, target, stays):
        async with client(stays) as (reader, writer):
            async with link.forward(HERE, ("127.0.0.1", target.port)) as goes:
                assert goes != stays
            writer.write(b"hello")
            assert await reader.read(5) == b"hello"
        assert await asked(stays, b"again") == b"again"


async def test_the_block_ends_though_a_target_does_not_answer(server: OpenSSH) -> None:
    """A connection that is still being made is cut; when it comes up at last, it is closed."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as others:
        deaf.setblocking(False)
        place: Address = deaf.getsockname()
        full = [others.enter_context(socket.socket()) for _ in range(3)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(place)
        async with connected(server) as link:
            async with link.forward(HERE, place) as address:
                reader, writer = await asyncio.open_connection(*address)
                assert (await run(link, "true")).state is State.OK  # sshd is at it
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            peers = {one.getsockname() for one in full}
            while (late := await loop.sock_accept(deaf))[1] in peers:
                others.enter_context(late[0])
            with late[0]:
                assert await loop.sock_recv(late[0], 1) == b""
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("end", ["server", "link"])
async def test_a_connection_that_dies_is_no_proper_end(
    program: Callable[[str], str], end: str
) -> None:
    """Clients are reset where the connection to the node is lost: what they have is not all."""
    with openssh(program("sshd")) as server:
        async with (
            through(server, say_nothing) as (link, target, address),
            client(address) as (reader, writer),
        ):
            writer.write(b"hello")
            await until(lambda: target.now == 1)
            if end == "server":
                server.stop()
            else:
                await link.close()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await link.wait_closed()
            with pytest.raises(ConnectionResetError):
                await asked(address, b"nobody carries this")


CURL = ["curl", "-sS", "--max-time", "20"]


async def curl(*words: str) -> tuple[int, bytes, bytes]:
    """Run curl; return its exit status, what it got, and what it complains of."""
    process = await asyncio.create_subprocess_exec(
        *CURL, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out, err


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a web server would."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("version", ["socks4", "socks4a", "socks5", "socks5-hostname"])
async def test_curl_goes_through_the_socks_proxy(
    server: OpenSSH, program: Callable[[str], str], version: str
) -> None:
    """Each version that curl speaks gets it to a target, by name and by address."""
    program("curl")
    async with (
        connected(server) as link,
        listening(web) as target,
        link.forward(HERE, None) as (host, port),
    ):
        proxy = f"--{version}", f"{host}:{port}"
        name = "127.0.0.1" if version == "socks4" else "localhost"
        done = await curl(*proxy, f"http://{name}:{target.port}/")
        assert done == (0, b"hello", b"")


async def test_curl_is_told_why_not(server: OpenSSH, program: Callable[[str], str]) -> None:
    """A target that refuses (5) and a name that nobody knows (4) are told apart."""
    program("curl")
    async with connected(server) as link, link.forward(HERE, None) as (host, port):
        proxy = "--socks5-hostname", f"{host}:{port}"
        code, out, err = await curl(*proxy, f"http://127.0.0.1:{free_port()}/")
        assert (code, out) == (97, b"")
        assert b"(5)" in err
        code, out, err = await curl(*proxy, "http://no-such-host.invalid/")
        assert (code, out) == (97, b"")
        assert b"(4)" in err


async def test_who_does_not_speak_socks_is_sent_away(server: OpenSSH) -> None:
    """A client that takes the proxy for a web server is closed on, and others are not."""
    async with (
        connected(server) as link,
        listening(echo) as target,
        link.forward(HERE, None) as address,
    ):
        assert await asked(address, b"GET / HTTP/1.0\r\n\r\n") == b""
        assert await asked(address, b"") == b""
        request = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01"
        early = request + target.port.to_bytes(2, "big") + b"said before there was an answer"
        granted = b"\x05\x00\x05\x00\x00\x01" + bytes(6)
        assert await asked(address, early) == granted + b"said before there was an answer"


async def listen_fails(link: Link, listen: Address) -> Exception:
    """Return what is raised for an address that can't be listened on."""
    with pytest.raises((InvalidInput, MachineError)) as caught:
        async with link.forward(listen, ("127.0.0.1", 1)):
            raise AssertionError("it listens")
    return caught.value


async def test_what_can_not_be_listened_on(server: OpenSSH) -> None:
    """A port in use is this machine's trouble, an address that it does not have is bad input."""
    async with connected(server) as link:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            in_use = await listen_fails(link, taken.getsockname())
            assert isinstance(in_use, MachineError)
            assert str(taken.getsockname()[1]) in str(in_use)
            assert "already" in str(in_use)
        # 192.0.2.0/24 is for documentation (RFC 5737): nobody has it.
        elsewhere = await listen_fails(link, ("192.0.2.1", 0))
        assert isinstance(elsewhere, InvalidInput)
        assert "192.0.2.1" in str(elsewhere)


async def test_a_port_can_be_chosen(server: OpenSSH) -> None:
    """It listens where it was told to, there alone, and again at once after it has ended."""
    port = free_port()
    async with connected(server) as link, listening(echo) as target:
        for _ in range(2):
            async with link.forward(("127.0.0.1", port), ("127.0.0.1", target.port)) as address:
                assert address == ("127.0.0.1", port)
                assert await asked(address, b"hello") == b"hello"
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.2", port)


def has_ipv6() -> bool:
    """Return whether this machine has IPv6's own loopback address."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


async def test_ipv6(server: OpenSSH) -> None:
    """It listens on an address of IPv6 like on any other, if this machine has it."""
    async with connected(server) as link, listening(echo) as target:
        if not has_ipv6():
            assert isinstance(await listen_fails(link, ("::1", 0)), InvalidInput)
            return
        async with link.forward(("::1", 0), ("127.0.0.1", target.port)) as address:
            assert address[0] == "::1"
            assert await asked(address, b"hello") == b"hello"
