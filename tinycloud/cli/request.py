"""A command as it was asked for on the command line."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ..cloud.order import check_timeout
from ..errors import InvalidInput
from ..ssh.stop import Stop
from .shown import Wish

PROGRAM_HEAD = 8192
"""Bytes at the beginning of a program of which one is NUL, as none is of a script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be run, where and how, and how to show it; `stop` ends it early."""

    command: str | Path
    tag: str | None = None
    index: Collection[int] | None = None
    keyfile: Path | None = None
    timeout: float | None = None
    limit: int | None = None
    sudo: bool = False
    stdin: bool = False
    serial: str | None = None
    max_fail: str | None = None
    fail_fast: bool = False
    retry_failed: bool = False
    exclude: str | None = None
    pick: int | None = None
    wish: Wish = field(default_factory=Wish)
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        check_timeout(self.timeout)  # before `run` launches anything


def command_given(given: str) -> str | Path:
    """Return the command, or the path of the script, if there is one of that name."""
    if not given.strip():
        raise InvalidInput("the command is empty", fix="give one, as in: -e uptime")
    return Path(given) if _is_file(given) and not _is_program(given) else given


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # no name that a file could have
        return False


def _is_program(name: str) -> bool:
    """Return whether the file is no script: then its path is the command."""
    try:
        with Path(name).open("rb") as file:
            return b"\0" in file.read(PROGRAM_HEAD)
    except OSError as problem:
        raise InvalidInput(
            f"can't read {name}",
            cause=problem.strerror or str(problem),
            fix="give a file that you may read, or a command",
        ) from problem


def asked(request: Request) -> bool:
    """Ask a command that is under way to come to its end; return whether it is, and will."""
    if not request.stop.is_heeded:
        return False
    request.stop("interrupted")
    return True
