"""Scripts that go over standard input, to every login shell there is."""

import pytest
from openssh import SHELLS, OpenSSH

from tinycloud.errors import InvalidInput
from tinycloud.result import State
from tinycloud.ssh.leash import leashed
from tinycloud.ssh.script import LARGEST_SCRIPT, Script

from .client import bare, connected, run, running, until

ACCOUNTS = pytest.mark.parametrize("account", ["root", *SHELLS])


@ACCOUNTS
async def test_login_shell_runs_it(server: OpenSSH, account: str) -> None:
    """Without a `#!` line the login shell runs a script, which finds its input empty."""
    content = b"echo \"$ONE\"; cat; echo '\xff'\nsh -c 'ps -o comm= $PPID'; exit 3"
    async with connected(server, account) as link:
        ran = await run(link, Script(content), variables={"ONE": "it's 1!"}, timeout=10)
    shell = b"bash" if account == "root" else account.encode()
    assert ran.stdout == b"it's 1!\n\xff\n%s\n" % shell
    assert ran.error == "exit status 3"


@ACCOUNTS
async def test_interpreter(server: OpenSSH, account: str) -> None:
    """With a `#!` line its interpreter runs it; what follows is one argument, as in Linux."""
    async with connected(server, account) as link:
        ran = await run(link, Script(b"#! /usr/bin/printf  it's %s!\nx\n"), timeout=10)
        assert (ran.stdout, ran.stderr) == (b"it's /dev/fd/9!", b"")
        content = b'#!/usr/bin/perl\n$| = 1; print "a\\n", <STDIN>; kill 9, $$;'
        ran = await run(link, Script(content), timeout=10)
    assert (ran.stdout, ran.error) == (b"a\n", "killed by SIGKILL")


async def test_env(server: OpenSSH) -> None:
    """What is looked for in the path is found; what is not there fails as in any shell."""
    async with connected(server) as link:
        ran = await run(link, Script(b"#!/usr/bin/env -S perl -l\nprint 6 * 7"), timeout=10)
        assert (ran.stdout, ran.error) == (b"42\n", "")
        ran = await run(link, Script(b"#!/no/such/thing\n"), timeout=10)
        assert ran.error == "exit status 127"
        assert b"/no/such/thing" in ran.stderr


@ACCOUNTS
async def test_no_limit(server: OpenSSH, account: str) -> None:
    """A script of 3 MB arrives whole."""
    line = b": 'It has quotes! And \\ and $and and `and`'\n"
    content = b"#!/bin/sh\n" + line * 65_000 + b"echo done"
    async with connected(server, account) as link:
        ran = await run(link, Script(content), timeout=60)
    assert (ran.stdout, ran.stderr, ran.state) == (b"done\n", b"", State.OK)


async def test_nothing_left(server: OpenSSH) -> None:
    """A script is in no file that has a name, and nobody finds it among the arguments."""
    script = Script(b"# secret\necho on; sleep 1000")
    async with connected(server) as link, running(link, script):
        assert not any("secret" in line for line in server.running())
        found = [p for p in server.home("root").rglob("*") if p.is_file()]
        assert not any(b"secret" in path.read_bytes() for path in found)


async def test_half_a_script(server: OpenSSH) -> None:
    """Of a script that is cut on its way nothing is run."""
    script = Script(b"echo never\n" + 1000 * b"# x\n")
    async with bare(server) as connection:
        whole = script.content + b"\nwhole\n"
        for size in (0, 20, len(script.content), len(whole) - 3):
            process = await connection.create_process(leashed(script, {}), encoding=None)
            process.stdin.write(whole[:size])
            process.stdin.write_eof()
            done = await process.wait()
            assert (done.stdout, done.exit_status) == (b"", 255)
    await until(lambda: not server.running(), 5)


async def test_old_dd(server: OpenSSH) -> None:
    """Where `dd` knows of no whole blocks it still takes no byte too many."""
    tool = server.home("root") / "bin" / "dd"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text('#!/bin/sh\ncase "$*" in *fullblock*) exit 1; esac\nexec /bin/dd "$@"\n')
    tool.chmod(0o755)
    path = f"{tool.parent}:/usr/bin:/bin"
    try:
        async with connected(server) as link:
            ran = await run(link, Script(b"echo hi\n" * 100), variables={"PATH": path}, timeout=10)
    finally:
        tool.unlink()
    assert ran.stdout == 100 * b"hi\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"echo \0", "NUL"),
        (b"x" * (LARGEST_SCRIPT + 1), "bytes"),
        (b"#!" + b"x" * 300, "too long"),
    ],
)
def test_no_script(content: bytes, complaint: str) -> None:
    """What can't be a script is refused before anything is sent."""
    with pytest.raises(InvalidInput, match=complaint):
        Script(content)
