"""Logging in: the real command line to a local node, and our shell to Debian's sshd."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from openssh import OpenSSH, openssh

from .window import PATIENCE, Window

PROMPT = r"[$#] "
TINYCLOUD = str(Path(sys.executable).with_name("tinycloud"))

# What `tinycloud login` does with an ending, in short.
LOGIN = """
import pathlib, signal, sys
from tinycloud.cli.interrupt import Interrupted, run
from tinycloud.node import Node, Status
from tinycloud.ssh.connect import connect

async def login(port, username, host_key, key):
    node = Node(tag="a", index=0, id="a", status=Status.RUNNING, address="127.0.0.1",
                port=int(port), username=username)
    link, _ = await connect(node, key=pathlib.Path(key).read_bytes(), host_key=host_key)
    try:
        ending = await link.shell()
    finally:
        await link.close()
    if ending.error and sys.stderr:
        print(ending.error, file=sys.stderr)
    if ending.signal:
        return 128 + getattr(signal, f"SIG{ending.signal}")
    return 5 if ending.exit_status is None else ending.exit_status

try:
    sys.exit(run(login(*sys.argv[1:])))
except Interrupted as error:
    sys.exit(error.exit_code)
"""


@dataclass
class Door:
    """A way to log in to a machine: the command, and how to pull the plug of the machine."""

    command: list[str]
    home: Path
    unplug: Callable[[], None]
    environment: Mapping[str, str] = field(default_factory=dict)

    def window(self, *, rows: int = 24, columns: int = 80) -> Window:
        """Log in on a terminal."""
        return Window(self.command, self.environment, rows=rows, columns=columns)

    def run(self, script: bytes = b"", **options: Any) -> "subprocess.CompletedProcess[bytes]":
        """Log in without a terminal; `script` is what the shell reads."""
        return subprocess.run(
            self.command,
            capture_output=True,
            env={**os.environ, **self.environment},
            timeout=PATIENCE,
            **(options or {"input": script}),
        )


def sshd_door(server: OpenSSH, folder: Path) -> Door:
    """Return the way in to an sshd."""
    (folder / "key").write_bytes(server.login_key)
    (folder / "login.py").write_text(LOGIN)
    node = server.node("bash") if "bash" in server.accounts else server.node()
    words = [str(node.port), node.username, server.host_key, str(folder / "key")]
    return Door(
        [sys.executable, str(folder / "login.py"), *words],
        server.home(node.username),
        lambda: server.send_signal(signal.SIGKILL),
    )


@pytest.fixture(scope="module")
def voltron(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A local cluster of one node, and the command line to log in to it."""
    state = tmp_path_factory.mktemp("login") / "state"
    environment = {"TINYCLOUD_STATE_DIR": str(state)}

    def tinycloud(*words: str) -> None:
        subprocess.run(
            [TINYCLOUD, *words, "--quiet"],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )

    def unplug() -> None:
        for process in psutil.process_iter():
            try:
                listening = process.net_connections("inet")
            except psutil.Error:
                continue
            if any(c.status == "LISTEN" and c.laddr.port == port for c in listening):
                process.kill()

    tinycloud("launch", "voltron", "-n", "0")
    listed = subprocess.run(
        [TINYCLOUD, "list", "voltron", "--json"],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    port = int(re.findall(rb'"port": ?(\d+)', listed.stdout)[0])
    door = Door([TINYCLOUD, "login", "voltron"], state, unplug, environment)
    home = door.run(b"pwd\n").stdout.decode().strip()
    yield Door(door.command, Path(home), unplug, environment)
    tinycloud("destroy", "voltron")


@pytest.fixture
def debian(server: OpenSSH, tmp_path: Path) -> Door:
    """Our shell and Debian's sshd."""
    return sshd_door(server, tmp_path)


@pytest.fixture(params=["voltron", "debian"])
def door(request: pytest.FixtureRequest) -> Door:
    """The command line and a local node, and our shell and Debian's sshd."""
    found: Door = request.getfixturevalue(request.param)
    return found


def test_session(door: Door) -> None:
    """Size, keys, job control and the exit status are those of the remote terminal."""
    with door.window(rows=33, columns=99) as window:
        before = window.modes
        window.expect(PROMPT)
        assert window.is_raw
        window.type("stty size; echo $TERM; tty\r")
        window.expect("33 99\r\nxterm-256color\r\n/dev/pts/")
        window.resize(44, 111)
        window.shows("stty size\r", "44 111\r\n")
        window.type("(echo u''p; exec cat)\r")
        window.expect("up\r\n")
        window.type("\x03")  # Ctrl-C ends the remote program, and not us
        window.expect(PROMPT)
        window.type("(echo u''p; exec sleep 1000)\r")
        window.expect("up\r\n")
        window.type("\x1a")  # Ctrl-Z stops it
        window.expect("Stopped")
        window.type("jobs; fg\r")
        window.expect("Stopped.*sleep 1000")
        window.expect("sleep 1000.*\r\n")
        window.type("\x03")
        window.expect(PROMPT)
        window.type("echo $((40 + 2)); (exit 7)\r")
        window.expect("42\r\n")
        window.expect(PROMPT)
        window.type("\x04")  # Ctrl-D ends the shell, with the last status
        assert window.end() == 7
        assert window.modes == before


def test_killed_shell(debian: Door) -> None:
    """A shell that a signal ends gives 128 + its number."""
    with debian.window() as window:
        window.expect(PROMPT)
        window.type("kill -9 $$\r")
        assert window.end() == 128 + signal.SIGKILL


def exit_shell(window: Window) -> None:
    """Have the shell exit."""
    window.type("exit 3\r")


def end_input(window: Window) -> None:
    """Press Ctrl-D."""
    window.type("\x04")


def escape(window: Window) -> None:
    """Leave without asking the node."""
    window.type("\r~.")


def terminate(window: Window) -> None:
    """End us from outside."""
    window.process.send_signal(signal.SIGTERM)


def hang_up(window: Window) -> None:
    """Tell us that our terminal is gone."""
    window.process.send_signal(signal.SIGHUP)


WAYS_OUT: list[tuple[Callable[[Window], None], int]] = [
    (exit_shell, 3),
    (end_input, 0),
    (escape, 5),
    (terminate, 143),
    (hang_up, 129),
]


@pytest.mark.parametrize(("way", "code"), WAYS_OUT, ids=[way.__name__ for way, _ in WAYS_OUT])
def test_ways_out(door: Door, way: Callable[[Window], None], code: int) -> None:
    """After every way out the terminal is as it was, and shows what it did."""
    with door.window() as window:
        before = window.modes
        window.expect(PROMPT)
        window.type(r"printf '\033[?1049h\033[?25l'on" + "\r")
        window.expect(r"\x1b\[\?25lon")
        window.expect(PROMPT)
        way(window)
        assert window.end() == code
        assert window.modes == before
        assert "\x1b[?1049l" in window.screen
        assert window.screen.rindex("\x1b[?25h") > window.screen.rindex("\x1b[?1049l")


def test_nothing_stays_on_a_terminal(debian: Door, server: OpenSSH) -> None:
    """Whoever leaves by ~. takes the shell on the node along, and what runs in it."""
    with debian.window() as window:
        window.expect(PROMPT)
        window.type("sleep 1001 & (echo u''p; exec sleep 1002)\r")
        window.expect("up\r\n")
        window.type("\r~.")
        assert window.end() == 5
    await_nothing(server)


def test_nothing_stays_of_a_closed_window(debian: Door, server: OpenSSH) -> None:
    """A window that is closed hangs up the shell on the node, whether or not we hear SIGHUP.

    Handed on as an end of input, it would be a `logout`, which spares what is in the background.
    """
    deaf = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *debian.command]
    with replace(debian, command=deaf).window() as window:
        window.expect(PROMPT)
        window.type("sleep 1001 & echo u''p\r")
        window.expect("up\r\n")
        window.expect(PROMPT)
        window.close()
        window.process.wait(PATIENCE)
    await_nothing(server)


def test_nothing_stays(debian: Door, server: OpenSSH) -> None:
    """When we are ended the shell on the node is, without a terminal too, and what runs in it."""
    with subprocess.Popen(
        debian.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as login:
        assert login.stdin is not None
        assert login.stdout is not None
        login.stdin.write(b"echo on; sleep 1001\n")
        login.stdin.flush()
        assert login.stdout.readline() == b"on\n"
        login.terminate()
        assert login.wait(PATIENCE) == 143
    await_nothing(server)


def await_nothing(server: OpenSSH) -> None:
    """Wait until nothing runs in the server's sessions any more."""
    deadline = time.monotonic() + 5
    while left := server.running():
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_clean_way_out(debian: Door) -> None:
    """Where the remote programs left the terminal in order, nothing is done to it."""
    with debian.window() as window:
        window.expect(PROMPT)
        window.type("exit\r")
        assert window.end() == 0
        assert "\x1b[?25h" not in window.screen


def test_sshd_killed(program: Callable[[str], str], tmp_path: Path) -> None:
    """When sshd is killed under a full-screen program, the terminal comes back."""
    with openssh(program("sshd")) as server:
        door = sshd_door(server, tmp_path)
        check_unplugged(door)


def check_unplugged(door: Door) -> None:
    """Check that the terminal comes back when the machine goes under a full-screen program."""
    with door.window() as window:
        before = window.modes
        window.expect(PROMPT)
        window.type(r"printf '\033[?1049h'on; cat" + "\r")
        window.expect(r"\x1b\[\?1049hon")
        door.unplug()
        assert window.end() == 5
        assert window.modes == before
        assert "\x1b[?1049l" in window.screen
        assert "lost" in window.screen


def test_no_terminal_there(program: Callable[[str], str], tmp_path: Path) -> None:
    """Where a server gives us no terminal, that is said, and ours is as it was."""
    with (
        openssh(program("sshd"), "PermitTTY no") as server,
        sshd_door(server, tmp_path).window() as window,
    ):
        before = window.modes
        assert window.end() == 5
        assert window.modes == before
        assert "no shell: PTY request failed" in window.screen


def test_paste(door: Door) -> None:
    """1 MB that is pasted into a program arrives whole."""
    text = b"".join(b"%07d %s\n" % (n, b"x" * 55) for n in range(16_384))
    assert len(text) == 1 << 20
    with door.window() as window:
        window.expect(PROMPT)
        window.type("stty -echo; echo o''n; cat > paste; echo d''one\r")
        window.expect("on\r\n")
        window.type(text.replace(b"\n", b"\r"))
        window.type("\x04")
        window.expect("done")
        window.type("exit\r")
        assert window.end() == 0
    assert hashlib.sha256((door.home / "paste").read_bytes()).digest() == (
        hashlib.sha256(text).digest()
    )


def test_flood(door: Door) -> None:
    """While output floods the terminal, what is typed is heard: Ctrl-C stops it soon."""
    with door.window() as window:
        window.expect(PROMPT)
        window.type("yes flood\r")
        for _ in range(200):
            window.expect("flood\r\n")
        window.type("\x03")
        window.expect(PROMPT, 5)
        window.type("exit\r")
        assert window.end() == 130


def test_frozen_terminal(debian: Door) -> None:
    """A terminal that shows nothing any more can't keep us from being ended."""
    with debian.window() as window:
        before = window.modes
        window.expect(PROMPT)
        window.type("yes flood\r")
        window.expect("flood\r\n")
        full = time.monotonic() + 1
        while time.monotonic() < full:  # nobody reads: all buffers on the way fill up
            time.sleep(0.1)
        window.process.terminate()
        assert window.process.wait(5) == 143
        assert window.modes == before


def test_continued(debian: Door) -> None:
    """Stopped and continued, as by `fg`, we take the terminal over again."""
    with debian.window() as window:
        cooked = window.modes
        window.expect(PROMPT)
        window.process.send_signal(signal.SIGSTOP)
        window.modes = cooked
        window.process.send_signal(signal.SIGCONT)
        window.shows("echo $((1 + 1))\r", "2\r\n")
        assert window.is_raw
        window.type("exit\r")
        assert window.end() == 0
        assert window.modes == cooked


def test_modes(debian: Door) -> None:
    """The remote terminal takes over which key erases, and whether text is UTF-8."""
    with debian.window() as window:
        window.expect(PROMPT)
        window.type("stty -a\r")
        window.expect(r"erase = \^\?")
        window.type("exit\r")
        window.end()
    with Window(
        ["sh", "-c", 'stty erase ^H iutf8; exec "$@"', "sh", *debian.command], debian.environment
    ) as window:
        window.expect(PROMPT)
        window.type("stty -a\r")
        window.expect(r"erase = \^H")
        window.expect(r"[^-]iutf8")
        window.type("exit\r")
        window.end()


def test_pipe(door: Door) -> None:
    """Without a terminal the shell reads what is piped into it, all of it, and no prompt shows."""
    script = (
        b"echo out; echo err >&2; tty\n" + b"# " + b"x" * 70_000 + b"\nwc -c\n" + b"y" * 200_000
    )
    done = door.run(script)
    assert (done.stdout, done.stderr.strip()) == (b"out\nnot a tty\n200000\n", b"err")
    assert done.returncode == 0
    assert door.run(b"exit 9\n").returncode == 9


def test_file(debian: Door, tmp_path: Path) -> None:
    """A regular file works as standard input, and so does /dev/null."""
    (tmp_path / "script").write_bytes(b"echo out\nwc -c\n" + b"y" * 300_000)
    with (tmp_path / "script").open("rb") as script:
        done = debian.run(stdin=script)
    assert (done.returncode, done.stdout) == (0, b"out\n300000\n")


@pytest.mark.parametrize("redirection", ["</dev/null", "<&- >&-", "<&- 2>&-"])
def test_nothing_to_read(voltron: Door, redirection: str) -> None:
    """Without input, or with standard streams closed, the shell ends at once, and well."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *voltron.command],
        capture_output=True,
        env={**os.environ, **voltron.environment},
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (0, b"", b"")


def test_nobody_reads(debian: Door) -> None:
    """When nobody reads our output any more we end."""
    with subprocess.Popen(
        debian.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **debian.environment},
    ) as login:
        assert login.stdin is not None
        assert login.stdout is not None
        login.stdin.write(b"yes\n")
        login.stdin.flush()
        assert login.stdout.readline() == b"y\n"
        login.stdout.close()
        assert login.wait(10) != 0


@pytest.mark.parametrize("size", [300_000, 3_000_000])  # less, and more than may be under way
def test_slow_reader(debian: Door, size: int) -> None:
    """Output for a slow reader comes whole, and with the exit status."""
    with subprocess.Popen(
        debian.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **debian.environment},
    ) as login:
        assert login.stdin is not None
        assert login.stdout is not None
        login.stdin.write(b"head -c %d /dev/zero; exit 4\n" % size)
        login.stdin.close()
        got = len(login.stdout.read(1000))
        time.sleep(2)  # so slow: longer than we listen on after an exit
        got += len(login.stdout.read())
        assert (got, login.wait(10)) == (size, 4)


def test_background(debian: Door) -> None:
    """The exit of a shell ends the login, though something that it left holds its output open."""
    begun = time.monotonic()
    done = debian.run(b"sleep 5 & echo out; exit 3\n")
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert time.monotonic() - begun < 5


def test_node_killed(voltron: Door) -> None:
    """When the node is killed the terminal comes back; a dead node can't be logged in to."""
    check_unplugged(voltron)
    done = voltron.run(b"echo in\n")
    assert (done.returncode, done.stdout) == (5, b"")
    assert b"error: " in done.stderr
    assert b"fix: " in done.stderr
