"""Ways to run the command line: here, as a process, and on a terminal."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil
import pyte

PROGRAM = str(Path(sys.executable).with_name("tinycloud"))

# Runs a program and tells its greatest memory, in MiB, on a line of its own, last on stderr.
# What wait4(2) tells of a child begins with the memory of who forked it: so a small one does.
_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)
sys.exit(code)
"""
MEASURED = (sys.executable, "-c", _MEASURE, PROGRAM)
"""The program, and last on stderr what memory it took."""

PATIENCE = 60.0
"""Seconds after which a program that says nothing is a failure."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()

    def refused(self, code: int = 2) -> str:
        """Return the remedy, once it is sure that this is an error in two lines and no answer."""
        assert (self.code, self.out) == (code, ""), self
        what, fix = self.lines
        assert re.match("error: .", what), self
        assert re.match("fix: .", fix), self
        return fix.removeprefix("fix: ")


Cli = Callable[..., Outcome]


def run(*words: str, **environment: str) -> Outcome:
    """Run the installed program to its end."""
    done = subprocess.run(
        [PROGRAM, *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def started(*words: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the installed program in a session of its own; it ends with the block."""
    process = subprocess.Popen(
        [PROGRAM, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def await_line(process: "subprocess.Popen[str]", begin: str) -> str:
    """Return the next line on stderr that begins so."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(begin):
            return line
    raise AssertionError(f"it ended with {process.wait()} and never said {begin!r}")


class Terminal:
    """A program on a terminal, and what is to be seen there."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**_plain(os.environ), "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Close the terminal's window, which hangs up on the program."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def type(self, keys: str) -> None:
        """Type on the keyboard."""
        os.write(self._ours, keys.encode())

    def until(self, text: str) -> None:
        """Look until this is to be seen."""
        while text not in self.shown:
            assert self._look(), f"it ended, and never showed {text!r}:\n{self.shown}"

    def to_the_end(self) -> int:
        """Look until the program has ended, and return its exit code."""
        while self._look():
            continue
        return self.process.wait(PATIENCE)

    def _look(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, f"nothing happens:\n{self.shown}"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the last program has left
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    @property
    def rows(self) -> list[str]:
        """The rows of the screen that are not empty."""
        return [row.rstrip() for row in self.screen.display if row.strip()]

    @property
    def shown(self) -> str:
        """The screen as text."""
        return "\n".join(self.rows)


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key != "NO_COLOR"}


def snapshot(folder: Path, *, content: bool = True) -> dict[str, tuple[object, ...]]:
    """Return all there is to know of a folder: whatever is touched, it differs."""
    return {str(path): _facts(path, content) for path in (folder, *sorted(folder.rglob("*")))}


def _facts(path: Path, content: bool) -> tuple[object, ...]:
    found = path.lstat()
    facts = (found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns, found.st_ino)
    if path.is_symlink():
        return (*facts, os.readlink(path))
    return (*facts, path.read_bytes()) if content and path.is_file() else facts


def at_work_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that have their place in a folder, which need not exist any more."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd().removesuffix(" (deleted)")).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):  # not ours, or gone already
            continue
    return found


def left_in(folder: Path, within: float = PATIENCE) -> list[psutil.Process]:
    """Wait until nobody is at work in a folder; return who still is after so many seconds."""
    deadline = time.monotonic() + within
    while (left := at_work_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


class Gate:
    """Two pipes between a test and a script: it tells that it has come there, and waits."""

    def __init__(self, folder: Path) -> None:
        self._here, self._go = folder / "here", folder / "go"
        for pipe in (self._here, self._go):
            os.mkfifo(pipe)
        # Open for writing, too: so it has no end, at which a line that just comes were lost.
        self._arrivals = os.open(self._here, os.O_RDWR)
        self._told = 0

    def close(self) -> None:
        """Have no more come."""
        os.close(self._arrivals)

    @property
    def script(self) -> str:
        """The shell command that passes the gate."""
        return f"echo $TINYCLOUD_NODE > '{self._here}'; read word < '{self._go}'"

    def reached(self, count: int = 1) -> None:
        """Wait until so many more scripts have come to the gate."""
        while self._told < count:
            self._told += os.read(self._arrivals, 1 << 16).count(b"\n")
        self._told -= count

    def open(self) -> None:
        """Let through who waits."""
        self._go.write_text("go\n" * 10)
