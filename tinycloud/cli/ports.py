"""What is to be forwarded, as people write it: a port here, and where it leads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..cloud.forwarding import LOOPBACK
from ..errors import InvalidInput
from ..nodeset import indices

SYNTAX = "write 8787, 0:8787 or 8787:HOST:PORT"

# Here, perhaps a host, and there: `8787`, `0:8787`, `8787:db:5432`, `8787:[::1]:80`.
_PORTS = re.compile(r"([0-9]{1,5})(?::(?:(\[[^\[\]]+\]|[^:\[\]]+):)?([0-9]{1,5}))?")
_INDEX = re.compile(r"[0-9]+([,-][0-9]+)*")

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="Which node, and what to forward: a port here, and where it leads from there.",
        metavar="[TAG] [INDEX] [PORT[:HOST:PORT]]...",
        show_default=False,
    ),
]
Socks = Annotated[
    int | None,
    typer.Option("--socks", min=0, max=65535, help="Port of a SOCKS proxy.", metavar="PORT"),
]
Bind = Annotated[
    str | None,
    typer.Option("--bind", help="Address to listen on, if not 127.0.0.1.", metavar="ADDRESS"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A port here, and where it leads; a `host` of None leads wherever a SOCKS client says."""

    local: int
    host: str | None = None
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Tunnels as they were asked for: all through the same node."""

    tag: str | None
    index: int
    wishes: tuple[Wish, ...]
    keyfile: Path | None = None
    bind: str = LOOPBACK
    as_json: bool = False


def request(
    words: Sequence[str],
    *,
    socks: int | None = None,
    keyfile: Path | None = None,
    bind: str | None = None,
    as_json: bool = False,
) -> Request:
    """Return what these words ask for, or raise `InvalidInput`."""
    tag, index, ports = _sorted(words, others=socks is not None)
    wishes = [wish(port) for port in ports]
    if socks is not None:
        wishes.append(Wish(local=socks))
    _check(wishes, tag)
    return Request(
        tag=tag,
        index=_one(index),
        wishes=tuple(wishes),
        keyfile=keyfile,
        bind=LOOPBACK if bind is None else bind,
        as_json=as_json,
    )


def _sorted(words: Sequence[str], *, others: bool) -> tuple[str | None, str, Sequence[str]]:
    """Return the TAG, the INDEX and the ports among these words.

    After a TAG the first number is the INDEX, but where nothing else could be forwarded
    (`others` may be) it is a port.
    """
    if not words or ":" in words[0] or _PORTS.fullmatch(words[0]):
        return None, "0", words
    tag, *rest = words
    if rest and _INDEX.fullmatch(rest[0]) and (others or len(rest) > 1 or not rest[0].isdigit()):
        return tag, rest[0], rest[1:]
    return tag, "0", rest


def wish(word: str) -> Wish:
    """Return what `8787`, `0:8787` or `8787:HOST:PORT` asks for, or raise `InvalidInput`."""
    found = _PORTS.fullmatch(word)
    if found is None:
        raise InvalidInput(f"not a port to forward: {word[:80]!r}", fix=SYNTAX)
    local, host, port = found.groups()
    if port is None and int(local) == 0:
        raise InvalidInput(
            "no port of the node is named",
            cause="0 takes any free port here",
            fix="say which one it leads to, as in 0:8787",
        )
    return Wish(local=int(local), host=(host or "localhost").strip("[]"), port=int(port or local))


def _one(index: str) -> int:
    found = indices(index)
    if len(found) != 1:
        raise InvalidInput("can forward through one node at a time", fix="give a single INDEX")
    return found[0]


def _check(wishes: Sequence[Wish], tag: str | None) -> None:
    if not wishes:
        cause = "" if tag is None else f"{tag[:80]!r} is taken for a group"
        raise InvalidInput("nothing to forward", cause=cause, fix=f"{SYNTAX}, or --socks PORT")
    locals_ = [wish.local for wish in wishes if wish.local]
    double = next((port for port in locals_ if locals_.count(port) > 1), None)
    if double is not None:
        raise InvalidInput(f"port {double} is asked for twice", fix="take another one here")
