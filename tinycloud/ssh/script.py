"""A script that goes to nodes over standard input, so that its length is no matter."""

import shlex
from dataclasses import dataclass

from ..errors import InvalidInput

LARGEST_SCRIPT = 16 * 1024 * 1024
"""Bytes that a script may have: a node's shell holds it in memory."""

LONGEST_INTERPRETER = 256
"""Bytes of a first line that Linux looks at."""


@dataclass(frozen=True, slots=True)
class Script:
    """The content of a script: its `#!` line says who runs it, or else the login shell does.

    Raises `InvalidInput` if it can't be one.
    """

    content: bytes

    def __post_init__(self) -> None:
        if not self.content.strip():
            raise InvalidInput("the script is empty", fix="give one that does something")
        if b"\0" in self.content:
            raise InvalidInput(
                "a script can't hold a NUL", fix="put a program on the nodes first, and run it"
            )
        if len(self.content) > LARGEST_SCRIPT:
            raise InvalidInput(
                f"the script has {len(self.content)} bytes, {LARGEST_SCRIPT} at most",
                fix="put it on the nodes first, and run it",
            )
        if len(self._first) > LONGEST_INTERPRETER:
            raise InvalidInput("the script's #! line is too long", fix="shorten it")

    @property
    def _first(self) -> str:
        """What follows `#!` in the first line, if it begins so."""
        first = self.content.partition(b"\n")[0]
        return first[2:].decode(errors="surrogateescape").strip() if first[:2] == b"#!" else ""

    @property
    def interpreter(self) -> str:
        """What runs the script, as words for a shell: as in Linux, all after the name is one."""
        name, _, argument = self._first.partition(" ")
        if not name:
            return '"${SHELL:-/bin/sh}"'
        return " ".join(shlex.quote(word) for word in (name, argument.strip()) if word)
