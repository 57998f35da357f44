"""Commands that read what we send them, which end with us all the same."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from openssh import SHELLS, OpenSSH, openssh

from tinycloud.result import State
from tinycloud.ssh.script import Script

from .client import connected, run, running, until

KB = 1024


async def pieces(*data: bytes) -> AsyncGenerator[bytes, None]:
    """Yield these."""
    for piece in data:
        yield piece


@pytest.mark.parametrize("account", ["root", *SHELLS])
async def test_bytes(server: OpenSSH, account: str) -> None:
    """Input arrives as it is, byte for byte, and so does its end."""
    data = random.Random(1).randbytes(3_000 * KB)
    given = pieces(*(data[i : i + 50_000] for i in range(0, len(data), 50_000)))
    async with connected(server, account) as link:
        ran = await run(link, "cat; echo $ONE", input=given, variables={"ONE": "1"}, timeout=20)
    assert (ran.state, ran.stderr) == (State.OK, b"")
    assert ran.stdout == data + b"1\n"


async def test_empty(server: OpenSSH) -> None:
    """Of an empty input there is just the end."""
    async with connected(server) as link:
        ran = await run(link, "cat; echo end", input=pieces(), timeout=10)
    assert (ran.state, ran.stdout) == (State.OK, b"end\n")


async def test_script_first(server: OpenSSH) -> None:
    """A script and its input share the way, and neither gets a byte of the other."""
    data = bytes(range(256)) * 4 * KB
    async with connected(server) as link:
        ran = await run(link, Script(b"cat; exit 3"), input=pieces(data, data), timeout=10)
    assert (ran.stdout, ran.error) == (data + data, "exit status 3")


async def test_not_read(server: OpenSSH) -> None:
    """A command that ends without reading its input ends as it would; the rest is dropped."""

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            yield bytes(64 * KB)

    async with connected(server) as link:
        ran = await run(link, "head -c 3 | wc -c; exit 3", input=endless(), timeout=10)
        assert (ran.stdout.strip(), ran.error) == (b"3", "exit status 3")
        ran = await run(link, "exec <&-; sleep 0.5; echo hi", input=endless(), timeout=10)
        assert (ran.stdout, ran.state) == (b"hi\n", State.OK)


async def test_no_end(server: OpenSSH) -> None:
    """When the command has ended, nobody waits for more input."""

    async def silent() -> AsyncGenerator[bytes, None]:
        yield b"first\n"
        await asyncio.Event().wait()

    async with connected(server) as link:
        ran = await run(link, "read -r line; echo $line", input=silent(), timeout=10)
    assert (ran.state, ran.stdout) == (State.OK, b"first\n")


async def test_input_fails(server: OpenSSH) -> None:
    """When the input fails the command is ended, and the failure raised."""

    async def failing() -> AsyncGenerator[bytes, None]:
        yield b"first\n"
        raise ZeroDivisionError

    async with connected(server) as link:
        with pytest.raises(ZeroDivisionError):
            await run(link, "sleep 1000", input=failing())
        await until(lambda: not server.running(), 5)


async def test_back_pressure(server: OpenSSH) -> None:
    """Nobody is asked for more input while the command does not read."""
    asked = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(64 * KB)
            await asyncio.sleep(0)

    async with (
        connected(server) as link,
        running(link, "echo on; sleep 1; echo off; sleep 1000", input=endless()) as (ran, _),
    ):
        await until(lambda: b"off" in ran.stdout)
        assert asked * 64 * KB < 4 * KB * KB


async def test_many_at_once(server: OpenSSH) -> None:
    """13 commands with input end well on one connection, two channels each."""
    async with connected(server) as link:
        ran = await asyncio.gather(
            *(run(link, "sleep 0.1; cat", input=pieces(b"%d" % n)) for n in range(13))
        )
    assert [one.stdout for one in ran] == [b"%d" % n for n in range(13)]


async def test_one_session(program: Callable[[str], str]) -> None:
    """A server with room for one session has none for a command with input: that is said."""
    with openssh(program("sshd"), "MaxSessions 1") as server:
        async with connected(server) as link:
            ran = await run(link, "cat", input=pieces(b"x"))
            assert ran.state is State.UNREACHABLE
            assert ran.error.startswith("not started: ")
            assert (await run(link, "true")).state is State.OK


async def test_nothing_left(server: OpenSSH) -> None:
    """What stands for the leash on the node goes with the command."""
    before = fifos()
    async with connected(server) as link:
        async with running(link, "echo on; cat", input=pieces(b"x")):
            pass
        await asyncio.gather(*(run(link, "cat", input=pieces(b"x")) for _ in range(3)))
        await until(lambda: not server.running(), 5)
    assert fifos() <= before


def fifos() -> set[Path]:
    """Return the FIFOs where sshd's users have theirs."""
    return {path for path in Path("/tmp").glob("tinycloud-*") if path.is_fifo()}


async def test_start_up_file_that_prints(server: OpenSSH) -> None:
    """What a start-up file prints, however that ends, does not hide where the FIFO is."""
    rc = server.home("root") / ".bashrc"
    rc.write_text("printf '%8192s' /tmp/tinycloud-\n")
    try:
        async with connected(server) as link:
            ran = await run(link, "cat", input=pieces(b"x"), timeout=10)
    finally:
        rc.unlink()
    assert (ran.state, ran.stdout[-1:]) == (State.OK, b"x")


async def test_no_room(server: OpenSSH) -> None:
    """Where a node has no folder that takes a FIFO, the command is not started."""
    tool = server.home("root") / "bin" / "mkfifo"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    rc = server.home("root") / ".bashrc"
    rc.write_text(f"PATH={tool.parent}:$PATH\necho hello\n")
    try:
        async with connected(server) as link:
            ran = await run(link, "cat", input=pieces(b"x"), timeout=10)
    finally:
        tool.unlink()
        rc.unlink()
    assert (ran.state, ran.stdout) == (State.UNREACHABLE, b"")
    assert ran.error == "not started: the node has no folder to make a FIFO in"
