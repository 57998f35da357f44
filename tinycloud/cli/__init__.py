"""The command line: parse, call one verb of `Cloud`, show the answer, exit with what it means."""

import errno
import logging
import sys
from collections.abc import Sequence

import typer

from ..errors import TinycloudError
from ..store.folder import SHORTAGES
from . import exits, say
from .interrupt import Interrupted

_MANNERS = {"--quiet": "quiet", "-q": "quiet", "--debug": "debug"}
_MACHINE = {*SHORTAGES, errno.EACCES, errno.EPERM, errno.EROFS}
"""Errors of the system that are this machine's, not a bug of ours."""


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; never a traceback, never silence."""
    words = _without_manners(arguments)
    say.prepare()
    try:
        code = _run(words)
    except Exception as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        code = _explained(error)
    return _flushed(code)


def _without_manners(arguments: Sequence[str]) -> list[str]:
    """Note --quiet and --debug wherever they stand, and return the other words."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    for word in arguments[:end]:
        if word in _MANNERS:
            setattr(say.MANNER, _MANNERS[word], True)
    return [w for w in arguments[:end] if w not in _MANNERS] + list(arguments[end:])


def _run(words: list[str]) -> int:
    from .app import app

    try:
        return app(words, prog_name="tinycloud", standalone_mode=False) or exits.OK
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):  # Typer takes it for a failure
            raise ending.__context__ from None
        raise


def _explained(error: Exception) -> int:
    """Say what went wrong, and return the exit code for it."""
    if isinstance(error, TinycloudError):
        say.tinycloud_error(error)
        return exits.of_error(error)
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "tinycloud"
        cause = error.format_message().rstrip(".")
        say.error("can't read the command line", cause, f"{command} --help")
        return exits.BAD_INPUT
    if isinstance(error, Interrupted):
        say.error("interrupted", error.number.name, "run the same command again")
        return error.exit_code
    if isinstance(error, typer.Abort):  # Ctrl-C outside of an event loop
        return exits.INTERRUPTED
    if isinstance(error, BrokenPipeError):  # whoever read our answer has enough
        return exits.BROKEN_PIPE
    return _unexpected(error)


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in _MACHINE:
        where = f" with {error.filename}" if error.filename else ""
        fix = SHORTAGES.get(error.errno, "give yourself access to it")
        say.error(f"this machine can't go on{where}", error.strerror or "", fix)
        return exits.MACHINE
    say.error(
        "tinycloud has a bug",
        f"{type(error).__name__}: {error}",
        "run it again with --debug, and report what that says",
    )
    return exits.BUG


def _flushed(code: int) -> int:
    """Hand out what is still to be written; return the exit code, another one if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        say.give_up_on(sys.stdout)
        return code or _explained(error)
    return code
