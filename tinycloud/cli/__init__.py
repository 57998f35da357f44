"""The command line: parse, call one verb of `Cloud`, show the answer, exit with what it means."""

import errno
import logging
import os
import sys
from collections.abc import Sequence

import typer

from ..errors import TinycloudError
from . import exits, say
from .interrupt import Interrupted

_MANNERS = {"--quiet": "quiet", "-q": "quiet", "--debug": "debug"}

_LOCAL_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EAGAIN,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; never a traceback, never silence."""
    words = _without_manners(arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our answer has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _without_manners(arguments: Sequence[str]) -> list[str]:
    """Note --quiet and --debug wherever they stand, and return the other words."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    for word in arguments[:end]:
        if word in _MANNERS:
            setattr(say.MANNER, _MANNERS[word], True)
    if say.MANNER.debug:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    return [w for w in arguments[:end] if w not in _MANNERS] + list(arguments[end:])


def _run(words: list[str]) -> int:
    from .app import app

    try:
        return app(words, prog_name="tinycloud", standalone_mode=False) or exits.OK
    except TinycloudError as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        say.tinycloud_error(error)
        return exits.of_error(error)
    except typer.TyperException as error:
        say.error("can't read the command line", error.format_message(), _usage(words))
        return exits.BAD_INPUT
    except Interrupted as error:
        say.error("interrupted", error.number.name, "run the same command again")
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        return _unexpected(error)


def _usage(words: list[str]) -> str:
    from .app import app

    commands = {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands}
    command = next((word for word in words if word in commands), "")
    return f"tinycloud {command} --help".replace("  ", " ")


def _unexpected(error: Exception) -> int:
    logging.getLogger(__name__).debug("failed", exc_info=True)
    if isinstance(error, OSError) and error.errno in _LOCAL_ERRORS:
        where = f" {error.filename}" if error.filename else ""
        say.error(
            f"this machine failed{where}",
            error.strerror or str(error),
            "free what it lacks, and run the same command again",
        )
        return exits.MACHINE
    say.error(
        "tinycloud has a bug",
        f"{type(error).__name__}: {error}",
        "run it again with --debug, and report what that says",
    )
    return exits.BUG
