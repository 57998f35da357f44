"""What is to be said where root did not run a command, because sudo would not have it."""

import re
from dataclasses import replace

from ..result import State
from ..text import printable
from .connection import Emit, Ending
from .ending import LONGEST_CAUSE

# What it says itself, and what shells say where there is none.
_REFUSAL = re.compile(
    r"sudo: |Sorry, user |\S+ is not in the sudoers file"
    r"|.*\bsudo\b.*not found|.*(not found|[Uu]nknown command).*\bsudo\b"
)


class Words:
    """Passes output on, and remembers the first lines of standard error if that is all of it."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._kept = b""
        self._printed = False

    async def emit(self, stream: str, data: bytes) -> None:
        """Pass a piece of output on."""
        if stream == "stderr":
            self._kept += data[: 2 * LONGEST_CAUSE - len(self._kept)]
        else:
            self._printed = True
        await self._emit(stream, data)

    def added(self, ending: Ending) -> Ending:
        """Return how a command for root ended; where sudo refused, in its own words."""
        if self._printed or ending.state is not State.FAILED:
            return ending
        lines = self._kept.decode(errors="backslashreplace").splitlines()
        refusal = next((line for line in lines if _REFUSAL.match(line)), None)
        if refusal is None:
            return ending
        said = printable(refusal)[:LONGEST_CAUSE]
        return replace(ending, error=f"{ending.error} ({said})")
