"""The command line that keeps a remote command on a leash: it ends when we do."""

import shlex
from collections.abc import Mapping

from ..errors import InvalidInput

COMMAND_LIMIT = 100_000
"""Bytes: Linux takes at most 128 KiB in one argument (`MAX_ARG_STRLEN`)."""

GRACE = 2
"""Seconds between SIGTERM and SIGKILL for a command that has to go."""

# The channel's standard input is the leash. A watcher in the command's own process
# group reads it; at its end (we closed it, or our connection died) the watcher ends
# the whole group, if the command itself still runs. So what a finished command left
# behind on purpose lives on, and what a cut one was doing does not. `read` and not
# `cat`, since a builtin costs no process; the outer `exec` lets a death by signal
# show as one; and the shell that runs the command is the user's own.
_LEASHED = (
    "exec 3<&0 </dev/null; "
    '(trap "" TERM; read -r _ <&3; kill -0 $$ && {{ kill -TERM 0; sleep {grace}; kill -KILL 0; }})'
    " >/dev/null 2>&1 & "
    "exec 3<&-; {exports}exec ${{SHELL:-/bin/sh}} -c {command}"
)


def checked_command(command: str) -> str:
    """Return `command` if SSH can carry it, or raise `InvalidInput`."""
    if "\0" in command:
        raise InvalidInput("a command can't hold a NUL", fix="remove it")
    if len(command.encode()) > COMMAND_LIMIT:
        raise InvalidInput(
            f"the command has {len(command.encode())} bytes, {COMMAND_LIMIT} at most",
            fix="put it into a file on the nodes and run that",
        )
    return command


def leashed(command: str, variables: Mapping[str, str]) -> str:
    """Return the line that runs `command` in the user's shell, on a leash.

    `variables` are exported to it: most servers drop those sent by SSH itself.
    """
    exports = "".join(f"export {name}={shlex.quote(text)}; " for name, text in variables.items())
    script = _LEASHED.format(grace=GRACE, exports=exports, command=shlex.quote(command))
    return f"exec /bin/sh -c {shlex.quote(script)}"
