"""The real OpenSSH client, as strict about host keys as it can be."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinycloud.node import Node

WAIT = 15.0
_ON_A_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


class OpenSSH:
    """`ssh`, `scp` and `sftp` to one node, with one key."""

    def __init__(self, node: Node, key: Path, folder: Path) -> None:
        self.node = node
        known_hosts = folder / f"known_hosts_{node.name}"
        known_hosts.write_text(f"[{node.address}]:{node.port} {node.host_key}\n")
        self.key = key
        self.options = [
            *("-F", "none"),
            *("-o", "StrictHostKeyChecking=yes"),
            *("-o", f"UserKnownHostsFile={known_hosts}"),
            *("-o", "GlobalKnownHostsFile=none"),
            *("-o", "IdentityAgent=none"),
            *("-o", "IdentitiesOnly=yes"),
            *("-o", "BatchMode=yes"),
            *("-o", "ConnectTimeout=10"),
        ]
        self.place = f"{node.username}@{node.address}"

    def command(self, *words: str) -> list[str]:
        """Return the command line of `ssh`; `words` are options, then the remote command."""
        flags = [word for word in words if word.startswith("-")]
        rest = words[len(flags) :]
        port = ["-i", str(self.key), "-p", str(self.node.port)]
        return ["ssh", *self.options, *port, *flags, self.place, *rest]

    def run(self, *words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a remote command to its end."""
        return subprocess.run(self.command(*words), input=stdin, capture_output=True, timeout=60)

    def output(self, command: str) -> str:
        """Return what a remote command prints; it must succeed."""
        done = self.run(command)
        assert done.returncode == 0, done
        return done.stdout.decode().strip()

    @contextmanager
    def start(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Start a remote command, which must have ended at the end of the block."""
        pipe = subprocess.PIPE
        command = self.command(*words)
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as client:
            try:
                yield client
            except BaseException:
                client.kill()
                raise

    def copy(self, program: str, *words: str) -> None:
        """Run `scp` or `sftp`; the word `NODE:...` is a path on the node."""
        port = ["-i", str(self.key), "-P", str(self.node.port)]
        paths = [word.replace("NODE", self.place) for word in words]
        done = subprocess.run(
            [program, *self.options, *port, *paths], capture_output=True, timeout=60
        )
        assert done.returncode == 0, done


class Terminal:
    """A program on a terminal of its own, whose keyboard and screen are ours."""

    def __init__(self, command: list[str], *, rows: int = 24, columns: int = 80) -> None:
        self._ours, theirs = os.openpty()
        self.resize(rows, columns)
        self._screen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_A_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._ours, text.encode())

    def expect(self, pattern: str) -> "re.Match[str]":
        """Wait until the screen shows this; what came before is forgotten."""
        deadline = time.monotonic() + WAIT
        while not (found := re.search(pattern, self._screen)):
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self._screen!r}"
            if select.select([self._ours], [], [], left)[0]:
                self._screen += self._read()
        self._screen = self._screen[found.end() :]
        return found

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65536).decode(errors="replace")
        except OSError as error:  # so Linux says that the program has closed the terminal
            raise AssertionError(f"it ended, and showed {self._screen!r}") from error

    def end(self) -> int:
        """Wait for the program to end; return its exit status."""
        return self.process.wait(WAIT)
