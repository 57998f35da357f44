"""What the end of an SSH session means: unknown is `lost`, never ok."""

from typing import Any

import asyncssh

from ..result import State
from ..text import printable
from .connection import Ending

LONGEST_CAUSE = 300
"""Characters of what a server said that we repeat."""


def ending(channel: asyncssh.SSHClientChannel[Any], error: Exception | None) -> Ending:
    """Return how the session of a channel that is over has ended; `error` is what cut it."""
    status, killed = channel.get_exit_status(), channel.get_exit_signal()
    if killed is not None:
        return _killed(killed[0])
    if status is None:
        return Ending(state=State.LOST, error=_loss(error), confirmed=False)
    if status:
        return Ending(state=State.FAILED, exit_status=status, error=f"exit status {status}")
    return Ending(state=State.OK, exit_status=0)


def _loss(error: Exception | None) -> str:
    if error is None:
        return "the server closed the session without an exit status"
    why = quoted(error)
    return "the connection was lost" + ("" if why == "Connection lost" else f": {why}")


def _killed(name: str) -> Ending:
    # OpenSSH says `SIG@openssh.com` for every signal that RFC 4254 has no name for.
    known = printable(name.partition("@")[0])[:20]
    if known in ("", "SIG"):
        return Ending(state=State.SIGNALLED, signal="UNKNOWN", error="killed by a signal")
    return Ending(state=State.SIGNALLED, signal=known, error=f"killed by SIG{known}")


def quoted(error: Exception) -> str:
    """Return in one harmless line what an error, perhaps in a server's words, says."""
    return printable(str(error))[:LONGEST_CAUSE] or type(error).__name__
