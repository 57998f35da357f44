"""The terminal of this process: its size, raw mode, and the way back."""

import asyncio
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

Size = tuple[int, int, int, int]


def is_open(descriptor: int) -> bool:
    """Return whether this process was given standard input, output, or error.

    If not, the descriptor may by now be something of our own.
    """
    return (sys.__stdin__, sys.__stdout__, sys.__stderr__)[descriptor] is not None


def size(descriptor: int) -> Size:
    """Return columns, rows, and width and height in pixels."""
    packed = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    rows, columns, width, height = struct.unpack("HHHH", packed)
    return columns, rows, width, height


@contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Hand keys on as they are typed, Ctrl-C too; put the terminal back on every way out."""
    # At once each time: a terminal that is stopped would have us wait for it to drain.
    saved = termios.tcgetattr(descriptor)
    _set_raw(descriptor)
    try:
        # Who stopped and continued us (`fg`) has put it back as well.
        with _signals({signal.SIGCONT: lambda: _set_raw(descriptor)}):
            yield
    finally:
        with suppress(termios.error):  # it is gone
            termios.tcsetattr(descriptor, termios.TCSANOW, saved)


def _set_raw(descriptor: int) -> None:
    with suppress(termios.error):  # it is gone
        tty.setraw(descriptor, termios.TCSANOW)


@contextmanager
def changes(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` now, as the window may have changed meanwhile, and whenever its size changes."""
    with _signals({signal.SIGWINCH: tell}):
        tell()
        yield


@contextmanager
def _signals(handlers: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        for number, handler in handlers.items():
            with suppress(RuntimeError, ValueError):  # not in the main thread
                loop.add_signal_handler(number, handler)
                stack.callback(loop.remove_signal_handler, number)
        yield


def write(descriptor: int, data: bytes) -> None:
    """Write all of `data`, also where another program made the terminal non-blocking."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
