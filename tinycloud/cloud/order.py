"""A command as callers ask for it, and what they want of it."""

from collections.abc import AsyncIterable, Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from ..node import Node
from ..ssh.leash import checked_command
from ..ssh.script import Script
from .broadcast import Broadcast
from .policy import Policy

Input = bytes | AsyncIterable[bytes]
"""What commands read: the same on all nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run, and how; `timeout` is in seconds."""

    what: str | Script
    input: Input | None
    sudo: bool
    timeout: float | None
    policy: Policy

    def input_for(self, nodes: Collection[Node]) -> bytes | Broadcast | None:
        """Return what these nodes read: bytes each by itself, anything else together."""
        if self.input is None or isinstance(self.input, bytes):
            return self.input
        return Broadcast(self.input, (node.name for node in nodes))


def ordered(
    command: str | Path, *, input: Input | None, sudo: bool, timeout: float | None, policy: Policy
) -> Order:
    """Return the order; raise `InvalidInput` if it can't be carried out anywhere."""
    if not (input is None or isinstance(input, bytes | AsyncIterable)):
        raise InvalidInput(
            f"a command can't read {type(input).__name__}",
            fix="give bytes, or an async iterable of bytes",
        )
    check_timeout(timeout)
    return Order(what=_checked(command), input=input, sudo=sudo, timeout=timeout, policy=policy)


def check_timeout(timeout: float | None) -> None:
    """Raise `InvalidInput` if no command can be given so many seconds."""
    if timeout is not None and not timeout > 0:  # nor is it if it is no number
        raise InvalidInput(f"can't give a command {timeout:g} seconds", fix="give more than 0")


def _checked(command: str | Path) -> str | Script:
    if isinstance(command, str):
        return checked_command(command)
    try:
        return Script(command.read_bytes())
    except OSError as problem:
        raise InvalidInput(
            f"can't read {command}",
            cause=problem.strerror or str(problem),
            fix="give a file that you may read, or a command",
        ) from problem
