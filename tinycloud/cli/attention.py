"""Who wants to know how far it is: Enter on the terminal, and a signal."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_SIGNALS = [s for name in ("SIGUSR1", "SIGINFO") if (s := getattr(signal, name, None))]

_PAUSE = 1.0
"""Seconds until we look again whether the terminal's keyboard is ours."""


class Attention:
    """Calls `answer` when asked: by Enter (if the keyboard is ours to read), SIGUSR1, or Ctrl-T.

    In the background nothing is read: that would stop us, and take what the shell is told.
    """

    def __init__(self, answer: Callable[[], None], *, keyboard: bool = True) -> None:
        self._answer = answer
        self._keyboard = keyboard and sys.stdin.isatty()
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._answer)
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number in _SIGNALS:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # one that comes too late must not end us
        if self._later is not None:
            self._later.cancel()
        if self._keyboard:
            self._loop.remove_reader(sys.stdin.fileno())

    def _listen(self) -> None:
        if self._keyboard:
            with suppress(OSError):  # epoll takes no such file
                self._loop.add_reader(sys.stdin.fileno(), self._asked)

    def _asked(self) -> None:
        """Answer a line that was typed."""
        descriptor = sys.stdin.fileno()
        try:
            if os.tcgetpgrp(descriptor) == os.getpgrp():
                if os.read(descriptor, 1024):
                    self._answer()
                    return
                self._keyboard = False  # Ctrl-D: who typed it will say no more
        except OSError:
            self._keyboard = False
        self._loop.remove_reader(descriptor)
        self._later = self._loop.call_later(_PAUSE, self._listen)
