"""Commands on Debian's sshd: every one ends in one state, and what it printed is kept."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncssh
import psutil
import pytest
from openssh import OpenSSH, openssh

from tinycloud.node import Node, Status
from tinycloud.result import State
from tinycloud.ssh import session
from tinycloud.ssh.connect import connect
from tinycloud.ssh.leash import checked_command
from tinycloud.ssh.link import Link

from .client import Run, connected, run, running, until
from .relay import listening, relay

MB = 1024 * 1024


async def test_ok(server: OpenSSH) -> None:
    """A command that exits with 0 is ok; both streams come as bytes, kept apart."""
    async with connected(server) as link:
        ran = await run(link, r"printf 'out\377\0'; printf 'err\376' >&2")
    assert (ran.state, ran.stdout, ran.stderr) == (State.OK, b"out\xff\0", b"err\xfe")
    assert ran.ending is not None
    assert (ran.ending.exit_status, ran.ending.error) == (0, None)


async def test_failed(server: OpenSSH) -> None:
    """A command that exits with anything else has failed, and says with what."""
    async with connected(server) as link:
        endings = [(await run(link, f"exit {code}")).ending for code in (1, 3, 255)]
    assert [ending and ending.exit_status for ending in endings] == [1, 3, 255]
    assert all(ending and ending.state is State.FAILED for ending in endings)
    assert endings[1] is not None
    assert endings[1].error == "exit status 3"


@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGKILL, "KILL"), (signal.SIGTERM, "TERM"), (signal.SIGSEGV, "SEGV")],
)
async def test_signalled(server: OpenSSH, number: int, name: str) -> None:
    """A command that a signal ended has no exit status, but the signal's name."""
    async with connected(server) as link:
        ran = await run(link, f"kill -{int(number)} $$; sleep 9")
    assert ran.ending is not None
    assert (ran.state, ran.ending.signal) == (State.SIGNALLED, name)
    assert ran.ending.exit_status is None
    assert ran.error == f"killed by SIG{name}"


async def test_signal_without_a_name(server: OpenSSH) -> None:
    """A signal that SSH has no name for counts as one all the same."""
    async with connected(server) as link:
        ran = await run(link, f"kill -{int(signal.SIGXCPU)} $$; sleep 9")
    assert (ran.state, ran.error) == (State.SIGNALLED, "killed by a signal")


async def test_program_killed(server: OpenSSH) -> None:
    """A program that is the whole command is seen to be killed, as over plain ssh."""
    async with connected(server) as link, running(link, "echo on; exec sleep 1000") as (_, task):
        (victim,) = [p for p in server.processes() if p.cmdline() == ["sleep", "1000"]]
        victim.kill()
        assert (await task).signal == "KILL"


async def test_timeout(server: OpenSSH) -> None:
    """A command that takes too long is ended in time; what it had printed is kept."""
    async with connected(server) as link:
        begun = time.monotonic()
        ran = await run(link, "echo before; sleep 1000; echo after", timeout=0.5)
        assert time.monotonic() - begun < 3
        await until(lambda: not server.running(), 5)
    assert (ran.state, ran.stdout) == (State.TIMEOUT, b"before\n")
    assert ran.error == "timed out after 0.5 s"


async def test_what_had_come_is_kept(server: OpenSSH) -> None:
    """At the time limit all that had come is handed on, also what was just being taken."""
    taken: list[bytes] = []

    async def take(stream: str, data: bytes) -> None:
        if not taken and not slow.is_set():
            slow.set()
            await asyncio.Event().wait()
        taken.append(data)

    slow = asyncio.Event()
    async with connected(server) as link:
        ending = await link.run(
            "echo first; sleep 0.2; echo second; sleep 1000", emit=take, variables={}, timeout=1
        )
    assert ending.state is State.TIMEOUT
    assert b"".join(taken) == b"first\nsecond\n"


async def test_timeout_unconfirmed(server: OpenSSH, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a node does not confirm that a command has ended, that is said."""
    monkeypatch.setattr(session, "GRACE", 0)
    async with (
        listening(relay(server.port)) as wire,
        connected(server, node=via(server, wire.port)) as link,
    ):
        running = asyncio.ensure_future(run(link, "echo on; sleep 1000", timeout=1))
        await until(lambda: bool(server.running()))
        wire.freeze()
        ran = await running
    assert ran.state is State.TIMEOUT
    assert ran.error == "timed out after 1 s, and may still be running: it did not confirm its end"


def via(server: OpenSSH, port: int, account: str | None = None) -> Node:
    """Return the server as a node behind a wire."""
    return replace(server.node(account), id=f"wire-{port}", port=port)


async def test_lost(program: Callable[[str], str]) -> None:
    """When sshd is killed the command is lost, never ok, and its output until then is kept."""
    with openssh(program("sshd")) as server:
        async with connected(server) as link:
            async with running(link, "echo before; sleep 1000") as (ran, task):
                server.send_signal(signal.SIGKILL)
                ending = await task
            assert (ending.state, ran.stdout) == (State.LOST, b"before\n")
            assert (ending.error or "").startswith("the connection was lost")
            assert ending.exit_status is None
            assert link.is_closed
            again = await run(link, "true")
            assert again.state is State.LOST
            assert again.error.startswith("not started: ")
            await until(lambda: not server.running(), 5)


async def test_cut(server: OpenSSH) -> None:
    """When the network fails the command is lost."""
    async with (
        listening(relay(server.port)) as wire,
        connected(server, node=via(server, wire.port)) as link,
    ):
        async with running(link, "echo before; sleep 1000") as (ran, task):
            wire.cut()
            ending = await task
        assert (ending.state, ran.stdout) == (State.LOST, b"before\n")


Handler = Callable[["asyncssh.SSHServerProcess[bytes]"], Awaitable[None]]


@asynccontextmanager
async def odd_server(handle: Handler) -> AsyncIterator[Link]:
    """Have a connection to a server of asyncssh's, which handles commands so."""
    key, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host],
        authorized_client_keys=asyncssh.import_authorized_keys(key.export_public_key().decode()),
        process_factory=handle,
        encoding=None,
    )
    async with server:
        node = Node(
            tag="odd",
            index=0,
            id="odd-0",
            status=Status.RUNNING,
            address="127.0.0.1",
            port=server.sockets[0].getsockname()[1],
        )
        line = host.export_public_key().decode()
        link, _ = await connect(node, key=key.export_private_key(), host_key=line)
        yield link
        await link.close()


async def test_no_exit_status() -> None:
    """A session that the server closes without an exit status is lost, though it printed all."""

    async def handle(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write(b"all is well\n")
        process.close()

    async with odd_server(handle) as link:
        ran = await run(link, "true")
    assert (ran.state, ran.stdout) == (State.LOST, b"all is well\n")
    assert "without an exit status" in ran.error


async def test_lost_to_a_slow_reader(server: OpenSSH) -> None:
    """What had arrived before the connection was lost is kept, also for a reader that lags."""
    arrived = got = 0
    size, rest = 200_000, 4_000  # less than may be under way

    def count(passed: int) -> None:
        nonlocal arrived
        arrived += passed

    async def read(stream: str, data: bytes) -> None:
        nonlocal got
        if not got:
            await until(lambda: arrived - before >= size + rest)
            wire.hang_up()
            await until(lambda: link.is_closed)
        got += len(data)

    async with (
        listening(relay(server.port, count)) as wire,
        connected(server, node=via(server, wire.port)) as link,
    ):
        before = arrived
        command = f"head -c {size + rest} /dev/zero; sleep 1000"
        ending = await link.run(command, emit=read, variables={})
    assert ending.state is State.LOST
    assert size <= got <= size + rest


async def test_stderr_only(server: OpenSSH) -> None:
    """8 MB on stderr with nothing on stdout come through."""
    async with connected(server) as link:
        ran = await run(link, f"head -c {8 * MB} /dev/zero >&2", timeout=30)
    assert (ran.state, len(ran.stderr), ran.stdout) == (State.OK, 8 * MB, b"")


async def test_no_stdin(server: OpenSSH) -> None:
    """A command that reads its standard input finds it empty, and no descriptor of ours."""
    async with connected(server) as link:
        # Not in a pipeline: while the shell starts one, it has a pipe of its own.
        look = "fds=/tmp/fds.$$; ls -l /proc/$$/fd >$fds; grep -c -e socket -e pipe $fds; rm $fds"
        ran = await run(link, f"cat; {look}", timeout=5)
    assert (ran.state, ran.stdout) == (State.OK, b"2\n")


async def test_background(server: OpenSSH) -> None:
    """A command's exit ends the wait, though something that it left holds its output open."""
    async with connected(server) as link:
        begun = time.monotonic()
        ran = await run(link, "echo out; sleep 9 & exit 3")
        assert time.monotonic() - begun < 2
        assert ran.stdout == b"out\n"
        assert ran.ending is not None
        assert ran.ending.exit_status == 3
        assert len(server.running()) == 1


@pytest.mark.parametrize("left", ["while :; do echo x; sleep 0.1; done", "yes"])
async def test_background_output(
    server: OpenSSH, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """What was left in the background may go on printing, slow or fast: nobody waits for it."""
    monkeypatch.setattr(session, "LONGEST_LINGER", 0.5)
    async with connected(server) as link:
        ran = await run(link, f"echo out; ({left}) & exit 3", timeout=10)
    assert ran.ending is not None
    assert ran.ending.exit_status == 3
    assert ran.stdout.startswith(b"out\n")


async def test_output_after_the_exit(server: OpenSSH, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes its time after the exit gets all of the output."""
    for name in ("LINGER", "LONGEST_LINGER"):
        monkeypatch.setattr(session, name, 0.3)
    size, got = 400_000, 0

    async def read(stream: str, data: bytes) -> None:
        nonlocal got
        got += len(data)
        await asyncio.sleep(0.1)  # much longer in all than we listen on

    async with connected(server) as link:
        ending = await link.run(f"head -c {size} /dev/zero", emit=read, variables={})
    assert (ending.state, got) == (State.OK, size)


async def test_wait(server: OpenSSH) -> None:
    """A shell that waits for all its children waits for its own, not for ours."""
    async with connected(server) as link:
        ran = await run(link, "sleep 0.1 & wait; jobs; echo $!", timeout=5)
    assert ran.state is State.OK
    assert ran.stdout.strip().isdigit()


async def test_many_at_once(server: OpenSSH) -> None:
    """13 commands at once on one connection all end well, though sshd takes 10 sessions."""
    async with connected(server) as link:
        ran = await asyncio.gather(*(run(link, f"sleep 0.3; echo {n}") for n in range(13)))
    assert [one.stdout for one in ran] == [b"%d\n" % n for n in range(13)]
    assert {one.state for one in ran} == {State.OK}


async def test_many_in_a_row(server: OpenSSH) -> None:
    """200 commands that end at once don't overrun sshd, which frees a session a little later."""
    async with connected(server) as link:
        ran = await asyncio.gather(*(run(link, "exit 0") for _ in range(200)))
    assert {(one.state, one.error) for one in ran} == {(State.OK, "")}


async def test_one_session(program: Callable[[str], str]) -> None:
    """A server that takes one session at a time is given one at a time."""
    with openssh(program("sshd"), "MaxSessions 1") as server:
        async with connected(server) as link:
            ran = await asyncio.gather(*(run(link, f"sleep 0.2; echo {n}") for n in range(6)))
    assert [one.stdout for one in ran] == [b"%d\n" % n for n in range(6)]


async def test_no_session(program: Callable[[str], str]) -> None:
    """A server that takes no session is named as the cause, in the end."""
    with openssh(program("sshd"), "MaxSessions 0") as server:
        async with connected(server) as link:
            ran = await run(link, "true")
    assert ran.state is State.UNREACHABLE
    assert ran.error.startswith("not started: ")


async def test_long_command(server: OpenSSH) -> None:
    """A command of 100 KB arrives whole."""
    text = "0123456789" * 10_000
    async with connected(server) as link:
        ran = await run(link, checked_command(f"echo {text}"))
    assert ran.stdout.decode().strip() == text


async def test_odd_bytes(server: OpenSSH) -> None:
    """A command that came from a command line with bytes that are not UTF-8 arrives as it was."""
    async with connected(server) as link:
        ran = await run(link, checked_command(os.fsdecode(b"printf %s caf\xe9")))
    assert ran.stdout == b"caf\xe9"


async def test_variables(server: OpenSSH) -> None:
    """Variables reach the command as they are, although sshd takes none over SSH."""
    value = "a 'b' \"c\" $d `e` \\f !g\n*"
    async with connected(server) as link:
        ran = await run(link, 'printf %s "$ONE|$TWO"', variables={"ONE": value, "TWO": ""})
    assert ran.stdout.decode() == f"{value}|"


async def test_slow_reader(server: OpenSSH) -> None:
    """100 MB come through a reader that lags behind, whole, and never is much in memory."""
    process = psutil.Process()
    size, first, most, got = 100 * MB, 0, 0, 0

    async def read(stream: str, data: bytes) -> None:
        nonlocal first, most, got
        if not got:
            await asyncio.sleep(1)  # time in which all of it would come, if nothing held it back
            first = process.memory_info().rss
        got += len(data)
        most = max(most, process.memory_info().rss)
        await asyncio.sleep(0.001)  # in which more comes than is taken

    async with connected(server) as link:
        before = process.memory_info().rss
        ending = await link.run(f"head -c {size} /dev/zero", emit=read, variables={}, timeout=90)
    assert (ending.state, got) == (State.OK, size)
    assert first - before < 8 * MB
    assert most - before < 8 * MB


async def test_reader_fails(server: OpenSSH) -> None:
    """When the reader of its output fails the command is ended, and the failure is raised."""

    async def read(stream: str, data: bytes) -> None:
        raise BrokenPipeError

    async with connected(server) as link:
        with pytest.raises(BrokenPipeError):
            await link.run("echo on; sleep 1000", emit=read, variables={})
        await until(lambda: not server.running(), 5)


async def test_cancelled_while_opening(server: OpenSSH) -> None:
    """A command that is cancelled before the node has confirmed its start does not go on."""
    async with connected(server) as link:
        for steps in range(12):
            task = asyncio.ensure_future(link.run("sleep 1000", emit=Run().emit, variables={}))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await run(link, "echo on")).stdout == b"on\n"
        await until(lambda: not server.running(), 5)
