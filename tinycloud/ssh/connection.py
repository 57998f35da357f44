"""What a connection to a node can do, whatever library it is made with."""

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ..node import Node
from ..result import State
from .files.progress import Report, Tally
from .script import Script
from .stop import Stop

Emit = Callable[[str, bytes], Awaitable[None]]
"""Takes a piece of output: `stdout` or `stderr`, and the bytes. Waiting in it slows the node."""

Address = tuple[str, int]
"""A host, by name or number, and a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command or a shell ended; it is `confirmed` if it surely runs no more."""

    state: State
    exit_status: int | None = None
    signal: str | None = None
    error: str | None = None
    confirmed: bool = True


class Transfer(Protocol):
    """What is to be put on nodes, or got from them."""

    async def on(self, connection: Any, channels: Any, tally: Tally) -> Ending:
        """Do it on the node at the other end of an open connection; return how that ended."""


class Connection(Protocol):
    """An open connection to a node that has proven its identity."""

    @property
    def node(self) -> Node:
        """The node at the other end."""

    @property
    def is_closed(self) -> bool:
        """Whether the connection can't be used any more."""

    async def run(
        self,
        command: str | Script,
        *,
        emit: Emit,
        variables: Mapping[str, str],
        timeout: float | None = None,
        sudo: bool = False,
        input: AsyncIterable[bytes] | None = None,
        stop: Stop | None = None,
    ) -> Ending:
        """Run a shell command or a script, hand its output to `emit`, and return how it ended.

        `variables` are added to its environment. With `sudo` root runs it. Without
        `input` there is nothing on its standard input.
        After `timeout` seconds, when `stop` is called, or when cancelled, the command is
        ended on the node, its process group with it, before this returns or raises.
        """

    async def shell(self) -> Ending:
        """Give this process's terminal (or its standard streams) to a shell on the node."""

    def forward(self, listen: Address, to: Address | None) -> AbstractAsyncContextManager[Address]:
        """Listen here while the block lasts, and have the node connect for whoever connects.

        Yields the address that is listened on: a port 0 takes a free one. `to` is where
        the node connects to; None makes a SOCKS proxy. Raises `MachineError` or
        `InvalidInput` if it can't listen there.
        """

    async def move(self, transfer: Transfer, report: Report) -> Ending:
        """Put files on the node, or get files from it, and return how that ended."""

    async def wait_closed(self) -> None:
        """Wait until the connection can't be used any more."""

    async def close(self) -> None:
        """Close the connection."""
