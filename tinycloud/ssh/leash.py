"""The command line that keeps a remote command on a leash: it ends when we do."""

import shlex
from collections.abc import Iterable, Mapping

from ..errors import InvalidInput
from .script import Script

LINE_LIMIT = 131_071
"""Bytes that Linux takes in one argument (`MAX_ARG_STRLEN`), which is how sshd hands a line on."""

ROOM = 8_192
"""Bytes of those that are kept for variables, and for the path of a FIFO."""

GRACE = 2
"""Seconds between SIGTERM and SIGKILL for a command that has to go."""

OPENING = 3.0
"""Seconds that a session being opened gets to become one that can be ended."""

WHOLE = b"\nwhole\n"
"""What follows a script, so that half a one is never run."""

# The leash is a descriptor that a watcher in the command's own process group reads; at
# its end (we closed it, or our connection died) the watcher ends the whole group, if the
# command itself still runs. So what a finished command left behind on purpose lives on,
# and what a cut one was doing does not. A failed `read` above 128 is not the end but
# bash's TMOUT. The command's own shell must not know the watcher, or a plain `wait` would
# wait for it: so another subshell starts it, and goes.
_WATCHED = (
    '({ trap "" HUP TERM; while read -r line <&3 || [ $? -gt 128 ]; do :; done; '
    f"kill -0 $$ && {{ kill -TERM 0; sleep {GRACE}; kill -KILL 0; }}; }} &) "
    "</dev/null >/dev/null 2>&1; exec 3<&-; "
)

# For shells that are not of Bourne's family: /bin/sh puts the leash on and runs the
# user's shell. Variables come as arguments up to `--`, then the command, one argument
# for each line, as csh can't quote a newline; without its first two characters IFS is one.
_EXPORTED = 'until [ "$1" = -- ]; do export "$1"; shift; done; shift; IFS=${IFS#??}; '
_FOREIGN = _EXPORTED + 'exec "${SHELL:-/bin/sh}" -c "$*"'
_LINES = _EXPORTED + 'eval "$*"'

# A script comes first on standard input. `dd` is told to take no byte more, in a way that
# all but old ones know and those refuse. It is for the shell to hand it on: through a pipe,
# or a file without a name, and never as an argument, which has its limit.
_SCRIPTED = """\
script=$(dd bs={size} count=1 iflag=fullblock 2>/dev/null || dd bs=1 count={size} 2>/dev/null)
read -r line && read -r line && [ "$line" = whole ] || exit 255
{leash}
exec {interpreter} /dev/fd/9 9<<TINYCLOUD
$script
TINYCLOUD"""

# Equal in csh, where a backslash quotes nothing in either kind of quotes, and in fish,
# where it does in both; not in sh, bash, zsh, ksh and their like.
_IS_FOREIGN = r"""test '\\' = "\\" """


def checked_command(command: str, *, fix: str = "put it into a file here, and execute that") -> str:
    """Return `command` if SSH can carry it, or raise `InvalidInput`; `fix` is for a long one."""
    if "\0" in command:
        raise InvalidInput("a command can't hold a NUL", fix="remove it")
    try:
        size = _size(_foreign(command, {}, _leash(None), sudo=False))
    except UnicodeEncodeError as error:
        raise InvalidInput("the command is not text", fix="remove its surrogates") from error
    limit = LINE_LIMIT - ROOM
    if size > limit:
        raise InvalidInput(
            f"the command takes {size} bytes when quoted, {limit} at most",
            fix=fix,
        )
    return command


def leashed(
    command: str | Script,
    variables: Mapping[str, str],
    *,
    fifo: str | None = None,
    sudo: bool = False,
) -> str:
    """Return the line that runs `command` on a leash, in the user's login shell.

    `variables` are exported to it: most servers drop those sent by SSH itself. The leash
    is the channel's standard input, or, where the command is to have that, the FIFO of
    this name on the node. With `sudo` root runs it all, since only root can end it.
    A script is expected on standard input, followed by `WHOLE`.
    """
    leash = _leash(fifo)
    if isinstance(command, Script):
        return _scripted(command, variables, leash, sudo=sudo)
    foreign = _foreign(command, variables, leash, sudo=sudo)
    if sudo:
        return foreign
    exports = "".join(f"export {name}={shlex.quote(text)}; " for name, text in variables.items())
    # The login shell itself runs the command, as without a leash: one shell less to
    # start, and the user's start-up file is read once.
    line = f"{_IS_FOREIGN}&& {foreign}; eval {_word(leash + exports)}\n{command}"
    return line if _size(line) <= LINE_LIMIT else foreign


def _leash(fifo: str | None) -> str:
    """Return what puts a leash on: standard input, or what is held open at the other end."""
    taken = "exec 3<&0 </dev/null; " if fifo is None else f"exec 3<{shlex.quote(fifo)} || exit; "
    return taken + _WATCHED


def _foreign(command: str, variables: Mapping[str, str], leash: str, *, sudo: bool) -> str:
    return _sh(leash + _FOREIGN, variables, command.split("\n"), sudo=sudo)


def _scripted(script: Script, variables: Mapping[str, str], leash: str, *, sudo: bool) -> str:
    text = _SCRIPTED.format(size=len(script.content), leash=leash, interpreter=script.interpreter)
    return _sh(_LINES, variables, text.split("\n"), sudo=sudo)


def lines_of_sh(text: str) -> str:
    """Return the line that has /bin/sh do these lines, with no leash, in any login shell."""
    return _sh(_LINES, {}, text.split("\n"), sudo=False)


def _sh(text: str, variables: Mapping[str, str], lines: Iterable[str], *, sudo: bool) -> str:
    """Return the line that has /bin/sh do `text` with these arguments, whoever reads it."""
    settings = (f"{name}={value}" for name, value in variables.items())
    words = " ".join(_word(word) for word in (text, "sh", *settings, "--", *lines))
    return f"exec {'sudo -n ' if sudo else ''}/bin/sh -c {words}"


def _word(text: str) -> str:
    """Quote `text` so that sh, csh and fish alike take it for this one word."""
    # What any of them takes for special inside single quotes goes outside.
    quoted = text.replace("'", "\0").replace("\\", r"'\\'").replace("!", r"'\!'")
    return "'" + quoted.replace("\0", "'\"'\"'") + "'"


def _size(line: str) -> int:
    return len(line.encode(errors="surrogateescape"))
