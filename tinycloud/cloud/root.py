"""Do something on a node that only root may do there."""

import shlex

from ..errors import CommandFailed
from ..ssh.connection import Connection
from ..text import printable

LONGEST_OUTPUT = 65_536
_KEPT_CAUSE = 300

_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec /bin/sh -c "$1"; else exec sudo -n /bin/sh -c "$1"; fi'
_PROLOGUE = "set -eu; PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; "


async def as_root(connection: Connection, script: str, *, what: str, timeout: float) -> str:
    """Run a shell script as root and return what it prints; `what` says what it is for.

    It stops at the first command that fails. Raises `CommandFailed`.
    """
    printed: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    async def emit(stream: str, data: bytes) -> None:
        printed[stream] = (printed[stream] + data)[-LONGEST_OUTPUT:]

    ending = await connection.run(
        f"/bin/sh -c {shlex.quote(_AS_ROOT)} sh {shlex.quote(_PROLOGUE + script)}",
        emit=emit,
        variables={},
        timeout=timeout,
    )
    if ending.exit_status != 0:
        said = printed["stderr"].decode(errors="backslashreplace").strip().splitlines()
        words = printable(": ".join(filter(None, [ending.error, *said[-1:]])))[:_KEPT_CAUSE]
        raise CommandFailed(
            f"can't {what} on {connection.node.name}",
            cause=words,
            fix="see that its user may become root without a password (sudo)",
            results=(),
        )
    return printed["stdout"].decode(errors="backslashreplace")
