"""What a client of a SOCKS proxy says, and what it is answered; no I/O.

SOCKS 5 without authentication (RFC 1928), SOCKS 4 and 4a; of their commands, `CONNECT`.
"""

import re
from collections.abc import Generator
from enum import IntEnum
from ipaddress import ip_address

from .connection import Address

LONGEST_NAME = 255
"""Bytes that the name of a user or a host may have."""

_CONNECT = 1
_BY_NAME = 3
_SIZES = {1: 4, 4: 16}
"""Bytes of an address of each kind."""

_NAME = re.compile(rb"[!-~]+")


class Reply(IntEnum):
    """What became of a request, as SOCKS 5 numbers it."""

    GRANTED = 0
    FORBIDDEN = 2
    UNREACHABLE = 4
    REFUSED = 5
    NO_SUCH_COMMAND = 7
    NO_SUCH_ADDRESS = 8


class Mistake(Exception):
    """The client said what it should not; `answer` is the last that it is told."""

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__(answer)
        self.answer = answer


class Negotiation:
    """One client's request, as it comes; `to` is where it wants to go, once it has said so."""

    def __init__(self) -> None:
        self.to: Address | None = None
        self._heard = b""
        self._answer = b""
        self._version = 0
        self._talk = self._listen()
        self._wanted = next(self._talk)

    def feed(self, data: bytes) -> bytes:
        """Take what the client said, and return what to answer; raise `Mistake`."""
        self._heard += data
        while self.to is None and len(self._heard) >= self._wanted:
            piece, self._heard = self._heard[: self._wanted], self._heard[self._wanted :]
            try:
                self._wanted = self._talk.send(piece)
            except StopIteration as end:
                self.to = end.value
            except Mistake as mistake:
                raise Mistake(self._answer + mistake.answer) from None
        answer, self._answer = self._answer, b""
        return answer

    @property
    def rest(self) -> bytes:
        """What the client said after its request: the first bytes for where it wants to go."""
        return self._heard

    def reply(self, reply: Reply) -> bytes:
        """Return the answer to the request."""
        if self._version == 4:
            return bytes((0, 90 if reply is Reply.GRANTED else 91, 0, 0, 0, 0, 0, 0))
        return bytes((5, reply, 0, 1, 0, 0, 0, 0, 0, 0))

    # Each step yields how many bytes it wants, and is sent so many.

    def _listen(self) -> Generator[int, bytes, Address]:
        (self._version,) = yield 1
        if self._version == 5:
            return (yield from self._five())
        if self._version == 4:
            return (yield from self._four())
        raise Mistake

    def _five(self) -> Generator[int, bytes, Address]:
        (count,) = yield 1
        methods = yield count
        if 0 not in methods:  # it insists on a password
            raise Mistake(b"\x05\xff")
        self._answer = b"\x05\x00"
        _, command, _, kind = yield 4
        if command != _CONNECT:
            raise Mistake(self.reply(Reply.NO_SUCH_COMMAND))
        if kind == _BY_NAME:
            (length,) = yield 1
            host = self._named((yield length))
        elif kind in _SIZES:
            host = str(ip_address((yield _SIZES[kind])))
        else:
            raise Mistake(self.reply(Reply.NO_SUCH_ADDRESS))
        return host, int.from_bytes((yield 2), "big")

    def _four(self) -> Generator[int, bytes, Address]:
        (command,) = yield 1
        if command != _CONNECT:
            raise Mistake(self.reply(Reply.NO_SUCH_COMMAND))
        port = int.from_bytes((yield 2), "big")
        address = yield 4
        yield from self._text()  # the user's name, of which nobody asks a proof
        named = address[:3] == bytes(3) and address[3]  # 4a: a name follows
        host = self._named((yield from self._text())) if named else str(ip_address(address))
        return host, port

    def _named(self, data: bytes) -> str:
        """Return a host's name, or raise `Mistake` if there can't be such a host."""
        if not _NAME.fullmatch(data):
            raise Mistake(self.reply(Reply.NO_SUCH_ADDRESS))
        return data.decode("ascii")

    def _text(self) -> Generator[int, bytes, bytes]:
        found = b""
        while (one := (yield 1)) != b"\0":
            found += one
            if len(found) > LONGEST_NAME:
                raise Mistake(self.reply(Reply.NO_SUCH_ADDRESS))
        return found
