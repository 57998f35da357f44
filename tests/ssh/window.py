"""A window on this side: a program on a terminal of its own, whose keyboard and screen are ours."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

PATIENCE = 20.0

_ON_A_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


class Window:
    """A terminal with a program on it; both are gone after the block."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        rows: int = 24,
        columns: int = 80,
    ) -> None:
        self._ours, self._theirs = os.openpty()
        os.set_blocking(self._ours, False)
        self.resize(rows, columns)
        self._screen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_A_TERMINAL, *command],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self._ours >= 0:
            os.close(self._ours)
        os.close(self._theirs)

    def close(self) -> None:
        """Close the window, as with a click: the kernel hangs the terminal up."""
        os.close(self._ours)
        self._ours = -1

    @property
    def modes(self) -> list[Any]:
        """The modes that the terminal is in."""
        return termios.tcgetattr(self._theirs)

    @modes.setter
    def modes(self, modes: list[Any]) -> None:
        termios.tcsetattr(self._theirs, termios.TCSANOW, modes)

    @property
    def is_raw(self) -> bool:
        """Whether keys are handed on as they are typed."""
        return not self.modes[3] & (termios.ICANON | termios.ISIG | termios.ECHO)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str | bytes) -> None:
        """Press these keys; reads on meanwhile, as a screen does."""
        rest = memoryview(keys.encode() if isinstance(keys, str) else keys)
        deadline = time.monotonic() + 3 * PATIENCE
        while rest:
            assert time.monotonic() < deadline, "nobody takes what is typed"
            readable, writable, _ = select.select([self._ours], [self._ours], [], 1)
            if readable:
                self._screen += os.read(self._ours, 65536)
            if writable:
                rest = rest[os.write(self._ours, rest) :]

    def expect(self, pattern: str, within: float = PATIENCE) -> "re.Match[bytes]":
        """Wait until the screen shows this; what came before is forgotten."""
        deadline = time.monotonic() + within
        while not (found := re.search(pattern.encode(), self._screen)):
            ended = self.process.poll() is not None
            missing = f"no {pattern!r} in {self._screen[-2000:]!r}"
            assert time.monotonic() < deadline, missing
            if not self._read(0.1):
                assert not ended, missing
        self._screen = self._screen[found.end() :]
        return found

    def _read(self, within: float) -> bool:
        readable = bool(select.select([self._ours], [], [], within)[0])
        if readable:
            self._screen += os.read(self._ours, 65536)
        return readable

    def shows(self, keys: str, pattern: str) -> "re.Match[bytes]":
        """Press these keys again and again until the screen shows this."""
        for _ in range(20):
            self.type(keys)
            try:
                return self.expect(pattern, 1)
            except AssertionError:
                continue
        raise AssertionError(f"no {pattern!r} in {self._screen[-2000:]!r}")

    def end(self) -> int:
        """Wait for the program to end, while the screen goes on showing; return its exit status."""
        deadline = time.monotonic() + PATIENCE
        while (code := self.process.poll()) is None:
            assert time.monotonic() < deadline, f"still there; {self._screen[-2000:]!r}"
            self._read(0.02)
        self._read(0)
        return code

    @property
    def screen(self) -> str:
        """What the screen showed since the last `expect`."""
        self._read(0)
        return self._screen.decode(errors="replace")
