"""What goes to the terminal: answers to stdout, everything else to stderr."""

import io
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from ..errors import TinycloudError
from ..text import printable
from .width import hung


def _print(text: str) -> None:
    """Write to stderr; that nobody is there to read it must not change what we do."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        give_up_on(sys.__stderr__ or sys.stderr)


@dataclass
class Manner:
    """How the user wants to be spoken to: --quiet and --debug set it.

    `tell` writes remarks and errors; who keeps something drawn on the terminal puts
    another in its place.
    """

    quiet: bool = False
    debug: bool = False
    tell: Callable[[str], None] = _print


MANNER = Manner()


def write_at_once() -> None:
    """Write what is said from now on ourselves: who keeps something drawn has no time to."""
    if MANNER.tell is not _print and sys.stderr.isatty():
        with suppress(OSError):
            print(end="\r\x1b[K", file=sys.stderr, flush=True)
    MANNER.tell = _print


class _Safe(logging.Formatter):
    """Makes what others wrote harmless in the log too."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).split("\n"))


_DRIVERS = "tinycloud.drivers"


class _Told(logging.Handler):
    """Tells the user at once what a driver warns of, such as a zone that has no machines left."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


def prepare() -> None:
    """Have streams that always take what we write, and a log only if it was asked for."""
    _mend_streams()
    log: logging.Handler = logging.StreamHandler() if MANNER.debug else logging.NullHandler()
    log.setFormatter(_Safe("%(levelname)s %(name)s: %(message)s"))
    if not MANNER.debug:
        logging.getLogger(_DRIVERS).addHandler(_Told(logging.WARNING))
    logging.basicConfig(level=logging.DEBUG if MANNER.debug else logging.WARNING, handlers=[log])
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _log_unraisable


def _mend_streams() -> None:
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed by who started us: nothing may come in its place
            _to_nowhere(descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _log_unraisable(problem: "sys.UnraisableHookArgs") -> None:
    """Log what Python would print with a traceback, and can do nothing about."""
    error = problem.exc_value
    logging.getLogger(__name__).debug("ignored %r", problem.object, exc_info=error)


def _to_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def give_up_on(stream: TextIO) -> None:
    """Let what is still to be written to this stream vanish: nobody takes it."""
    _to_nowhere(stream.fileno())


def answer(text: str) -> None:
    """Print the answer to what was asked; `text` is safe already."""
    print(text)


def note(text: str) -> None:
    """Say something that is not the answer, unless asked to be quiet."""
    if not MANNER.quiet:
        _tell("", text)


def error(what: str, cause: str, fix: str) -> None:
    """Say what went wrong and how to mend it: two lines, whatever they hold."""
    _tell("error: ", f"{what} ({cause})" if cause else what)
    _tell("fix: ", fix or "see --debug")


def tinycloud_error(problem: TinycloudError) -> None:
    """Say an error of ours."""
    error(problem.what, problem.cause, problem.fix)


def _tell(label: str, text: str) -> None:
    text = printable(text)
    # A remedy is to be copied as it is, and is all ours.
    whole = not sys.stderr.isatty() or label == "fix: "
    MANNER.tell(label + text if whole else hung(label, text, sys.stderr))


def colours(stream: TextIO) -> bool:
    """Return whether to use colour on this stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def counted(number: int) -> str:
    """Return a number of nodes in words: `1 node`, `2 nodes`."""
    return f"{number} node{'' if number == 1 else 's'}"


def are(number: int, cluster: str, what: str) -> str:
    """Return what so many nodes of a cluster are now."""
    return f"{counted(number)} of '{cluster}' {'is' if number == 1 else 'are'} {what}"
