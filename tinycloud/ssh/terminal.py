"""This process's own terminal: its size, raw mode, and the way back."""

import fcntl
import os
import re
import select
import struct
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

Size = tuple[int, int, int, int]

# What full-screen programs switch on, switched off again: cursor keys and keypad,
# mouse reports, bracketed paste, colours; and the cursor shown.
_CALM = b"\x1b[?1l\x1b>\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m\x1b[?25h"
_OTHER_SCREEN = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")


def size(descriptor: int) -> Size:
    """Return columns, rows, and width and height in pixels."""
    packed = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    rows, columns, width, height = struct.unpack("HHHH", packed)
    return columns, rows, width, height


@contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Hand keys on as they are typed, Ctrl-C too; put the terminal back on every way out."""
    saved = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)


def write(descriptor: int, data: bytes) -> None:
    """Write all of `data`, also where another program made the terminal non-blocking."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


class Screen:
    """Remembers whether a remote program has the terminal on its other screen."""

    def __init__(self) -> None:
        self._other = False

    def feed(self, data: bytes) -> None:
        """Take note of what is shown."""
        for found in _OTHER_SCREEN.finditer(data):
            self._other = found[1] == b"h"

    def calm(self) -> bytes:
        """Return what brings the terminal back after a program that can't do so itself."""
        return (b"\x1b[?1049l" if self._other else b"") + _CALM


class Escape:
    """Finds the way out of a shell that does not answer: `~.` at the beginning of a line."""

    def __init__(self) -> None:
        self._line_begins = True
        self._tilde = False

    def feed(self, keys: bytes) -> bytes | None:
        """Return what to send of what was typed, or None if the user wants out."""
        sent = bytearray()
        for key in keys:
            if self._tilde:
                self._tilde = False
                if key == ord("."):
                    return None
                if key != ord("~"):
                    sent.append(ord("~"))
            elif self._line_begins and key == ord("~"):
                self._tilde = True
                self._line_begins = False
                continue
            sent.append(key)
            self._line_begins = key in b"\r\n"
        return bytes(sent)


def is_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return sys.__stdin__ is not None and os.isatty(0)
