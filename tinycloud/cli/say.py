"""What goes to the terminal: answers to stdout, everything else to stderr."""

import os
import sys
from dataclasses import dataclass
from typing import TextIO

from ..errors import TinycloudError
from ..text import printable


@dataclass
class Manner:
    """How the user wants to be spoken to; the options before the command set it."""

    quiet: bool = False
    debug: bool = False


MANNER = Manner()


def answer(text: str) -> None:
    """Print the answer to what was asked; `text` is safe already."""
    print(text)


def note(text: str) -> None:
    """Say something that is not the answer, unless asked to be quiet."""
    if not MANNER.quiet:
        print(printable(text), file=sys.stderr, flush=True)


def error(what: str, cause: str, fix: str) -> None:
    """Say what went wrong and how to mend it: two lines, whatever they hold."""
    reason = f" ({printable(cause)})" if cause else ""
    print(f"error: {printable(what)}{reason}", file=sys.stderr)
    print(f"fix: {printable(fix) or 'see --debug'}", file=sys.stderr, flush=True)


def tinycloud_error(problem: TinycloudError) -> None:
    """Say an error of ours."""
    error(problem.what, problem.cause, problem.fix)


def colours(stream: TextIO) -> bool:
    """Return whether to use colour on this stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
