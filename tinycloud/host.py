"""A machine as people name it to ssh: `user@address:port`."""

import re
from dataclasses import dataclass

from .errors import InvalidInput

_LITERAL = re.compile(r"\[(?P<address>[^\]]*:[^\]]*)\](?::(?P<port>.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@\\+$-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where to knock; None where nothing was said of it."""

    address: str
    port: int | None = None
    username: str | None = None

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{user}{address}{f':{self.port}' if self.port else ''}"


def parsed_host(text: str) -> Host:
    """Return the machine that `[user@]address[:port]` names, or raise `InvalidInput`.

    An IPv6 address needs brackets where a port follows: `[::1]:22`.
    """
    user, at, place = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise _no_host(text, f"{user[:40]!r} can't be a user" if user else "the user is empty")
    address, port = _split(place)
    if not (_IPV6 if ":" in address else _NAME).fullmatch(address):
        raise _no_host(text, f"{address[:40]!r} can't be an address")
    return Host(
        address=address,
        port=None if port is None else _port(port, text),
        username=user if at else None,
    )


def _split(place: str) -> tuple[str, str | None]:
    """Return the address and, if there is one, the port in `place`."""
    if literal := _LITERAL.fullmatch(place):
        return literal["address"], literal["port"]
    address, colon, port = place.partition(":")
    if ":" in port:  # an IPv6 address without brackets has no port
        return place, None
    return address, port if colon else None


def _port(digits: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", digits) or not 0 < int(digits) < 1 << 16:
        raise _no_host(text, f"{digits[:20]!r} is not a port")
    return int(digits)


def _no_host(text: str, cause: str) -> InvalidInput:
    return InvalidInput(
        f"not a host: {text[:80]!r}",
        cause=cause,
        fix="write [user@]address[:port], with brackets around an IPv6 address",
    )
