"""What is left of a command on a node when we have gone, in every login shell there is."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncssh
import pytest
from openssh import MAY_NOT, NEEDS_PASSWORD, SHELLS, OpenSSH, openssh

from tinycloud.errors import InvalidInput
from tinycloud.fanout import fan_out
from tinycloud.node import Node
from tinycloud.result import State
from tinycloud.ssh.connection import Ending
from tinycloud.ssh.leash import LINE_LIMIT, checked_command, leashed
from tinycloud.ssh.script import Script
from tinycloud.ssh.stop import Stop

from .client import Run, bare, connected, run, running, until
from .relay import listening, relay
from .test_command import via

# A tree: the shell, two of its children, and a grandchild whose parent has gone.
TREE = """sh -c 'echo on; sleep 1001 & (sleep 1002 &) ; sleep 1003; echo after'"""
STUBBORN = """sh -c 'trap "" TERM HUP INT; echo on; sleep 1001 & (sleep 1002 &) ; sleep 1003'"""


@pytest.mark.parametrize("shell", SHELLS)
def test_shells(sshd: OpenSSH, shell: str) -> None:
    """All kinds of login shells are there to be tested."""
    assert sshd.node(shell).username == shell


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to run a command: each keeps all promises."""

    script: bool = False
    input: bool = False
    sudo: bool = False

    def __str__(self) -> str:
        ways = asdict(self).items()
        return "+".join(name for name, wanted in ways if wanted) or "command"


KINDS = (
    Kind(),
    Kind(script=True, input=True, sudo=True),
    *(
        pytest.param(kind, marks=pytest.mark.exhaustive)
        for kind in (Kind(script=True), Kind(input=True), Kind(sudo=True))
    ),
)


def scripted(command: str, *, wanted: bool) -> str | Script:
    """Return the command, as a script if that is wanted."""
    return Script(command.encode()) if wanted else command


async def endless() -> AsyncGenerator[bytes, None]:
    """Yield more than the way to a command holds that does not read it, and never an end."""
    for _ in range(100):
        yield bytes(100_000)
    await asyncio.Event().wait()


@asynccontextmanager
async def under_way(
    server: OpenSSH, node: Callable[[str], Node], kind: Kind
) -> AsyncIterator[list["asyncio.Task[Ending]"]]:
    """Have two trees of processes under way, one deaf to SIGTERM, for each login shell."""
    tasks = []
    barred = (NEEDS_PASSWORD, MAY_NOT) if kind.sudo else ()
    async with AsyncExitStack() as stack:
        for account in server.accounts:
            if account in barred:
                continue
            link = await stack.enter_async_context(connected(server, node=node(account)))
            for text in (TREE, STUBBORN):
                command = scripted(text, wanted=kind.script)
                given = endless() if kind.input else None
                started = running(link, command, input=given, sudo=kind.sudo)
                _, task = await stack.enter_async_context(started)
                tasks.append(task)
        sleeping = 3 * len(tasks)
        await until(lambda: sum("sleep" in line[:5] for line in server.running()) == sleeping)
        yield tasks


@pytest.fixture
def _sudo(request: pytest.FixtureRequest, program: Callable[[str], str]) -> None:
    """Find sudo, for the kinds that need it."""
    if request.node.callspec.params["kind"].sudo:
        program("sudo")


ALL_KINDS = pytest.mark.parametrize("kind", KINDS, ids=str)


@ALL_KINDS
@pytest.mark.usefixtures("_sudo")
async def test_cancelled(server: OpenSSH, kind: Kind) -> None:
    """Of a command that is cancelled nothing is left within 5 s, also of one deaf to SIGTERM."""
    async with under_way(server, server.node, kind) as tasks:
        for task in tasks:
            task.cancel()
        await until(lambda: not server.running(), 5)


@ALL_KINDS
@pytest.mark.usefixtures("_sudo")
async def test_cut(server: OpenSSH, kind: Kind) -> None:
    """Of a command whose connection is cut nothing is left within 5 s."""
    async with (
        listening(relay(server.port)) as wire,
        under_way(server, lambda account: via(server, wire.port, account), kind),
    ):
        wire.cut()
        await until(lambda: not server.running(), 5)


async def test_stopped(server: OpenSSH) -> None:
    """A command that is stopped early is ended, keeps what it printed, and is said to have been."""
    stop = Stop()
    async with connected(server) as link, running(link, STUBBORN, stop=stop) as (ran, task):
        assert stop.is_heeded
        stop("the first has failed")
        stop("later words count for nothing")
        ending = await task
        await until(lambda: not server.running(), 1)
    assert not stop.is_heeded
    assert (ending.state, ending.exit_status, ending.confirmed) == (State.SIGNALLED, None, True)
    assert (ending.error, ran.stdout) == ("ended early: the first has failed", b"on\n")


async def test_stopped_before_the_start(server: OpenSSH) -> None:
    """What is run when the call has come already is not started, or ended at once."""
    stop = Stop()
    stop("never mind")
    ran = Run()
    async with connected(server) as link:
        ending = await link.run("sleep 1000", emit=ran.emit, variables={}, stop=stop)
        await until(lambda: not server.running(), 5)
    assert (ending.state, ending.error) == (State.SIGNALLED, "ended early: never mind")


async def test_timed_out(server: OpenSSH) -> None:
    """A command deaf to SIGTERM that takes too long is ended, and is said to have been."""
    async with connected(server) as link:
        ran = await run(link, STUBBORN, timeout=0.5)
        await until(lambda: not server.running(), 5)
    assert (ran.state, ran.error) == (State.TIMEOUT, "timed out after 0.5 s")


async def test_client_killed(server: OpenSSH, tmp_path: Path) -> None:
    """When this process is killed nothing of its commands is left on the node."""
    (tmp_path / "key").write_bytes(server.login_key)
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    node = server.node()
    words = [str(node.port), node.username, server.host_key, str(tmp_path / "key"), TREE]
    client = await asyncio.create_subprocess_exec(
        sys.executable, script, *words, stdout=asyncio.subprocess.PIPE
    )
    assert client.stdout is not None
    assert await client.stdout.readline() == b"on\n"
    assert server.running()
    client.kill()
    await client.wait()
    await until(lambda: not server.running(), 5)


CLIENT = """
import asyncio, os, pathlib, sys
from tinycloud.node import Node, Status
from tinycloud.ssh.connect import connect

async def main(port, username, host_key, key, command):
    node = Node(tag="a", index=0, id="a", status=Status.RUNNING, address="127.0.0.1",
                port=int(port), username=username)
    link, _ = await connect(node, key=pathlib.Path(key).read_bytes(), host_key=host_key)

    async def emit(stream, data):
        os.write(1, data)

    await link.run(command, emit=emit, variables={})

asyncio.run(main(*sys.argv[1:]))
"""


async def test_daemons_live(server: OpenSSH) -> None:
    """What a finished command left behind lives on, also when a later one is cancelled."""
    left = sorted(f"sleep 10{n}{i}" for i, _ in enumerate(server.accounts) for n in (1, 2))

    async def leave(number: int, account: str) -> None:
        quiet = f"{number} >/dev/null 2>&1 &"
        async with connected(server, account) as link:
            ran = await run(link, f"sh -c 'sleep 101{quiet} (sleep 102{quiet})'")
            assert ran.state is State.OK
            async with running(link, TREE):
                pass

    await asyncio.gather(
        *(leave(number, account) for number, account in enumerate(server.accounts))
    )
    await until(lambda: sorted(server.running()) == left, 5)
    await until(lambda: not server.sessions(), 5)
    assert sorted(server.running()) == left


async def test_another_session_lives(server: OpenSSH) -> None:
    """When one command is cancelled, others on the same connection go on."""
    async with (
        connected(server) as link,
        running(link, "echo on; sleep 2; echo after") as (ran, task),
    ):
        async with running(link, TREE):
            pass
        assert (await task).state is State.OK
        assert ran.stdout == b"on\nafter\n"


async def test_quick_commands_leave_nothing(server: OpenSSH) -> None:
    """The watcher of a command goes with it."""
    async with connected(server) as link:
        await asyncio.gather(*(run(link, "exit 3") for _ in range(20)))
        await until(lambda: not server.running(), 1)


async def test_read_timeout_of_the_shell(program: Callable[[str], str]) -> None:
    """A machine whose shells give up waiting for input (TMOUT) ends no command before its time."""
    with openssh(program("sshd"), "SetEnv TMOUT=1") as server:
        async with connected(server) as link:
            ran = await run(link, "sleep 2; echo done")
    assert (ran.state, ran.stdout) == (State.OK, b"done\n")


COMMANDS = (
    "echo hello",
    "#",
    "false",
    "exit 3",
    "\n\n\necho a\n\necho b\n",
    r"echo 'a\b\\c' \\ '\'",
    'echo "it\'s" \'"\' "a  b"',
    "echo 'x!y'; echo \\!",
    "echo !!",
    "echo '$HOME' '`id`' '*' '~' '%s' '^a^b'",
    "echo $HOME *",
    "echo a\\\necho b",
    "echo {a,b} (",
    "echo 'a' | tr a '\\n' ; true",
    "echo ünï ☃",
    "echo \x01\x7f\t.",
    "cat",
    "sh -c 'kill -9 $$'",
    "echo '" + "y" * 60_000 + "' | wc -c",
)
"""Commands that a shell may see otherwise than another does, or than it would without us."""


@pytest.mark.parametrize("account", ["root", *SHELLS])
async def test_faithful(server: OpenSSH, account: str) -> None:
    """On a leash a command prints what it does without one, and ends alike, in every shell."""
    async with connected(server, account) as link, bare(server, account) as connection:

        async def compare(command: str) -> None:
            ran = await run(link, command, timeout=10)
            plain = await connection.run(command, encoding=None, stdin=asyncssh.DEVNULL)
            assert ran.ending is not None
            assert ran.stdout == plain.stdout, command
            assert (ran.ending.exit_status, ran.ending.signal) == (
                None if plain.exit_signal else plain.exit_status,
                plain.exit_signal[0] if plain.exit_signal else None,
            ), command

        await fan_out(compare, COMMANDS, limit=4)


async def test_nothing_to_do(server: OpenSSH) -> None:
    """An empty command is ok; it does not start a shell that waits for input."""
    async with connected(server) as link:
        assert (await run(link, "", timeout=10)).state is State.OK


async def test_start_up_file_once(server: OpenSSH) -> None:
    """The login shell's start-up file is read once, and what it defines can be used."""
    home = server.home("bash")
    (home / ".bashrc").write_text('echo read >> ~/times\nhello() { echo "hello $1"; }\n')
    async with connected(server, "bash") as link:
        ran = await run(link, "hello world")
    (home / ".bashrc").unlink()
    assert ran.stdout == b"hello world\n"
    assert (home / "times").read_text() == "read\n"


def test_no_nul() -> None:
    """A NUL, which would end the connection, is refused."""
    with pytest.raises(InvalidInput, match="NUL"):
        checked_command("echo \0")


def test_surrogates() -> None:
    """What is not text and never was bytes either is refused."""
    with pytest.raises(InvalidInput, match="not text"):
        checked_command("echo \ud800")


@pytest.mark.parametrize("text", ["x" * 130_000, "\n" * 60_000, "'" * 40_000])
def test_too_long(text: str) -> None:
    """A command that would not fit into one argument is refused, with a way out."""
    with pytest.raises(InvalidInput, match="bytes") as caught:
        checked_command(text)
    assert "file" in caught.value.fix


@pytest.mark.parametrize("text", ["x" * 122_000, "'" * 20_000, "\n" * 30_000, "y" * 65_000])
def test_longest(text: str) -> None:
    """What is not refused fits into one argument, variables and all."""
    variables = {"TINYCLOUD_CLUSTER": "c" * 63, "TINYCLOUD_ADDRESSES": "a=1 " * 1024}
    assert len(leashed(checked_command(text), variables)) <= LINE_LIMIT
