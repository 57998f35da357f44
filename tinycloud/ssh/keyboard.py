"""Our standard input, handed on as fast as the node takes it."""

import asyncio
import os
from typing import Protocol, Self

from . import terminal

READ = 65536


class Typist(Protocol):
    """Who takes what is typed."""

    def type(self, data: bytes) -> None:
        """Take a piece of input."""

    def type_end(self) -> None:
        """Take note that there will be no more."""

    def leave(self, why: str) -> None:
        """Take note that there is no waiting for the node: the user wants out, or is gone."""


class Keyboard:
    """Reads standard input for as long as the block lasts."""

    def __init__(self, typist: Typist, *, interactive: bool) -> None:
        self._typist = typist
        self._loop = asyncio.get_running_loop()
        self._escape = Escape() if interactive else None
        self._next: asyncio.Handle | None = None
        self._ended = False

    def __enter__(self) -> Self:
        if terminal.is_open(0):
            self.resume()
        else:
            self._end()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        self._ended = True

    def resume(self) -> None:
        """Read on."""
        if self._ended:
            return
        try:
            self._loop.add_reader(0, self._read)
        except OSError:  # a plain file or /dev/null: always readable, so no event says so
            self._next = self._loop.call_soon(self._read)

    def pause(self) -> None:
        """Read no more for now."""
        if self._ended:
            return
        if self._next:
            self._next.cancel()
        else:
            self._loop.remove_reader(0)

    def _read(self) -> None:
        try:
            data = os.read(0, READ)
        except BlockingIOError:
            return
        except OSError:  # its terminal is gone
            data = b""
        if self._next:
            self._next = self._loop.call_soon(self._read)
        if not data:
            self.pause()
            self._end()
            return
        sent = self._escape.feed(data) if self._escape else data
        if sent is None:
            self._typist.leave("left with ~.")
        elif sent:
            self._typist.type(sent)

    def _end(self) -> None:
        self._ended = True
        if self._escape:  # a raw terminal has no end of input but its own
            self._typist.leave("our terminal is gone")
        else:
            self._typist.type_end()


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
