"""The command line that keeps a remote command on a leash: it ends when we do."""

import shlex
from collections.abc import Mapping

from ..errors import InvalidInput

LINE_LIMIT = 131_071
"""Bytes that Linux takes in one argument (`MAX_ARG_STRLEN`), which is how sshd hands a line on."""

ROOM_FOR_VARIABLES = 2_048

GRACE = 2
"""Seconds between SIGTERM and SIGKILL for a command that has to go."""

# The channel's standard input is the leash. A watcher in the command's own process
# group reads it; at its end (we closed it, or our connection died) the watcher ends the
# whole group, if the command itself still runs. So what a finished command left behind
# on purpose lives on, and what a cut one was doing does not. A failed `read` above 128
# is not the end but bash's TMOUT. The command's own shell must not know the watcher, or
# a plain `wait` would wait for it: so another subshell starts it, and goes.
_LEASH = (
    "exec 3<&0 </dev/null; "
    '({ trap "" HUP TERM; while read -r line <&3 || [ $? -gt 128 ]; do :; done; '
    f"kill -0 $$ && {{ kill -TERM 0; sleep {GRACE}; kill -KILL 0; }}; }} &) >/dev/null 2>&1; "
    "exec 3<&-; "
)

# For shells that are not of Bourne's family: /bin/sh puts the leash on and runs the
# user's shell. Variables come as arguments up to `--`, then the command, one argument
# for each line, as csh can't quote a newline; without its first two characters IFS is one.
_FOREIGN = (
    f'{_LEASH}until [ "$1" = -- ]; do export "$1"; shift; done; shift; '
    'IFS=${IFS#??}; exec "${SHELL:-/bin/sh}" -c "$*"'
)

# Equal in csh, where a backslash quotes nothing in either kind of quotes, and in fish,
# where it does in both; not in sh, bash, zsh, ksh and their like.
_IS_FOREIGN = r"""test '\\' = "\\" """


def checked_command(command: str) -> str:
    """Return `command` if SSH can carry it, or raise `InvalidInput`."""
    if "\0" in command:
        raise InvalidInput("a command can't hold a NUL", fix="remove it")
    try:
        size = _size(_foreign(command, {}))
    except UnicodeEncodeError as error:
        raise InvalidInput("the command is not text", fix="remove its surrogates") from error
    limit = LINE_LIMIT - ROOM_FOR_VARIABLES
    if size > limit:
        raise InvalidInput(
            f"the command takes {size} bytes when quoted, {limit} at most",
            fix="put it into a file on the nodes and run that",
        )
    return command


def leashed(command: str, variables: Mapping[str, str]) -> str:
    """Return the line that runs `command` in the user's login shell, on a leash.

    `variables` are exported to it: most servers drop those sent by SSH itself.
    """
    exports = "".join(f"export {name}={shlex.quote(text)}; " for name, text in variables.items())
    foreign = _foreign(command, variables)
    # The login shell itself runs the command, as without a leash: one shell less to
    # start, and the user's start-up file is read once.
    line = f"{_IS_FOREIGN}&& {foreign}; eval {_word(_LEASH + exports)}\n{command}"
    return line if _size(line) <= LINE_LIMIT else foreign


def _foreign(command: str, variables: Mapping[str, str]) -> str:
    settings = (f"{name}={text}" for name, text in variables.items())
    words = ["sh", *settings, "--", *command.split("\n")]
    return f"exec /bin/sh -c {' '.join(_word(word) for word in (_FOREIGN, *words))}"


def _word(text: str) -> str:
    """Quote `text` so that sh, csh and fish alike take it for this one word."""
    # What any of them takes for special inside single quotes goes outside.
    quoted = text.replace("'", "\0").replace("\\", r"'\\'").replace("!", r"'\!'")
    return "'" + quoted.replace("\0", "'\"'\"'") + "'"


def _size(line: str) -> int:
    return len(line.encode(errors="surrogateescape"))
