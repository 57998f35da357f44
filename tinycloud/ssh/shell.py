"""Log in: this process's terminal becomes the terminal of a shell on the node."""

import asyncio
import os
from contextlib import ExitStack, suppress
from typing import Any

import asyncssh

from ..result import State
from . import terminal
from .channels import Channels
from .connection import Ending
from .ending import ending, quoted
from .keyboard import Keyboard
from .modes import modes
from .printer import Printer
from .screen import Screen
from .session import LINGER
from .tap import Tap

WINDOW = 128 * 1024
"""Bytes that the node may send ahead of our terminal: what Ctrl-C can't take back any more."""


async def shell(channels: Channels) -> Ending:
    """Run the login shell on the node until it exits; see `Connection.shell`.

    With a terminal as standard input there is a real one on the node too, which
    follows ours in size; without, the shell reads our input to its end.
    """
    interactive = terminal.is_open(0) and os.isatty(0)
    session = Shell(interactive=interactive)
    with ExitStack() as way_back:
        way_back.callback(session.close)
        try:
            await channels.open(lambda: session, window=WINDOW, **_pty(interactive=interactive))
        except (asyncssh.Error, OSError) as error:
            return Ending(state=State.LOST, error=f"no shell: {quoted(error)}")
        if interactive:
            way_back.enter_context(terminal.raw(0))
            way_back.enter_context(terminal.changes(session.tell_size))
        way_back.enter_context(session.printer)
        way_back.callback(session.calm)
        with Keyboard(session, interactive=interactive) as session.keyboard:
            await session.over.wait()
        await session.printer.flush()
    return session.ending()


def _pty(*, interactive: bool) -> dict[str, Any]:
    if not interactive:
        return {"request_pty": False}
    return {
        "request_pty": "force",
        "term_type": os.environ.get("TERM", "xterm"),
        "term_size": terminal.size(0),
        "term_modes": modes(0),
    }


class Shell(asyncssh.SSHClientSession[bytes]):
    """Shows what the shell prints, and knows how it ended."""

    def __init__(self, *, interactive: bool) -> None:
        self.over = asyncio.Event()
        self.keyboard: Keyboard | None = None
        self.printer = Printer(self._pace, self._fail)
        self._interactive = interactive
        self._screen = Screen()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._tap: Tap | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._left = ""
        self._closed = self._exited = self._full = False
        self._error: Exception | None = None
        self._failure: OSError | None = None

    def type(self, data: bytes) -> None:
        """Send what was typed."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    def type_end(self) -> None:
        """Send that no more will be typed."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()

    def tell_size(self) -> None:
        """Tell the node the size of our window."""
        if self._channel is not None:
            self._channel.change_terminal_size(*terminal.size(0))

    def leave(self, why: str) -> None:
        """Go without waiting for the node."""
        self._left = why
        self.over.set()

    def close(self) -> None:
        """Close the channel; a shell that is still there is hung up."""
        if self._channel is not None:
            with suppress(OSError):  # it is closed already
                if self._channel.get_exit_status() is None:
                    self._channel.send_signal("HUP")
            self._channel.close()

    def calm(self) -> None:
        """Undo on our terminal what the shell's programs did to it and had no time to undo."""
        known = self._channel is not None and self._channel.get_exit_status() is not None
        if self._interactive and terminal.is_open(1) and os.isatty(1):
            self.printer.put(1, self._screen.calm(known=known))

    def ending(self) -> Ending:
        """Return how the shell ended; raise the error that kept us from showing its output."""
        if self._failure is not None:
            raise self._failure
        if self._left:
            return Ending(state=State.LOST, error=self._left)
        if self._channel is None:
            return Ending(state=State.LOST, error="no shell")
        return ending(self._channel, self._error)

    def _pace(self, *, full: bool) -> None:
        """Have the node wait for our terminal."""
        self._full = full
        if self._tap is not None:
            if full and not self._closed:
                self._tap.shut()
            else:
                self._tap.open()
        self._linger()

    def _fail(self, error: OSError) -> None:
        """Give up, as nobody sees our output any more."""
        self._failure = error
        self.over.set()

    def _linger(self) -> None:
        """Once the shell has exited, wait a little for more output, and no longer.

        What it left in the background may hold its output open for ever.
        """
        if self._lingering is not None:
            self._lingering.cancel()
        if self._exited and not self._full:
            self._lingering = asyncio.get_running_loop().call_later(LINGER, self.over.set)

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel, self._tap = chan, Tap(chan)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._screen.feed(data)
        self.printer.put(2 if datatype else 1, data)
        self._linger()

    def exit_status_received(self, status: int) -> None:
        self._exited = True
        self._linger()

    def exit_signal_received(self, *_: Any) -> None:
        self._exited = True
        self._linger()

    def pause_writing(self) -> None:
        if self.keyboard is not None:
            self.keyboard.pause()

    def resume_writing(self) -> None:
        if self.keyboard is not None:
            self.keyboard.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self._closed = True
        self._pace(full=False)  # what has come already is ours now, or never
        self.over.set()
