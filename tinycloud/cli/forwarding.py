"""Forward until interrupted, and say where it listens."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from ..cloud import Cloud
from ..host import Host
from ..node import node_name
from . import interrupt, json_text
from .ports import Request, Wish
from .say import MANNER, answer, note

_LOG = "tinycloud.ssh.forward"


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
