"""Tunnels: what was asked for on the command line, and the words that say that it is there."""

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..cloud import Cloud
from ..errors import InvalidInput
from ..host import Host
from ..node import node_name
from ..nodeset import indices
from . import interrupt, json_text
from .say import MANNER, answer, note

SYNTAX = "write 8787, 0:8787 or 8787:HOST:PORT"
_LOG = "tinycloud.ssh.forward"

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
    bind: str = "127.0.0.1"
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
        bind="127.0.0.1" if bind is None else bind,
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


def forward(cloud: Cloud, request: Request) -> int:
    """Forward until interrupted; return the exit code of that."""
    with _log_as_notes():
        try:
            interrupt.run(_forward(cloud, request))
        except interrupt.Interrupted as end:  # what it is for: nothing else ends it well
            note("interrupted: nothing is forwarded any more")
            return end.exit_code
    raise AssertionError("it goes on until it is interrupted")


async def _forward(cloud: Cloud, request: Request) -> None:
    async with _all(cloud, request) as addresses:
        node = node_name(request.tag or cloud.groups[0].tag, request.index)
        for wish, address in zip(request.wishes, addresses, strict=True):
            shown = _as_json if request.as_json else _as_text
            answer(shown(node, wish, address))
        sys.stdout.flush()
        note("ready; Ctrl-C ends it")
        await asyncio.Event().wait()


@asynccontextmanager
async def _all(cloud: Cloud, request: Request) -> AsyncIterator[list[tuple[str, int]]]:
    """Forward all that is asked for, and yield what is listened on."""
    async with cloud, AsyncExitStack() as tunnels:
        yield [
            await tunnels.enter_async_context(
                cloud.forward(
                    None if wish.host is None else wish.port,
                    host=wish.host or "",
                    listen=(request.bind, wish.local),
                    tag=request.tag,
                    index=request.index,
                    keyfile=request.keyfile,
                )
            )
            for wish in request.wishes
        ]


def _as_text(node: str, wish: Wish, address: tuple[str, int]) -> str:
    here = Host(address=address[0], port=address[1])
    if wish.host is None:
        return f"{here} is a SOCKS proxy through {node}"
    return f"{here} leads to {Host(address=wish.host, port=wish.port)} from {node}"


def _as_json(node: str, wish: Wish, address: tuple[str, int]) -> str:
    return json_text.dump(
        {
            "node": node,
            "address": address[0],
            "port": address[1],
            "to_address": wish.host,
            "to_port": wish.port or None,
        }
    )


class _Notes(logging.Handler):
    """Says what is logged, but not the same thing over and over."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text != self._last:
            note(text)
        self._last = text


@contextmanager
def _log_as_notes() -> Iterator[None]:
    """Let the user know which connections fail; with --debug the log itself says so."""
    log, notes = logging.getLogger(_LOG), _Notes()
    if not MANNER.debug:
        log.addHandler(notes)
    try:
        yield
    finally:
        log.removeHandler(notes)
