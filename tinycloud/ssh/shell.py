"""Log in: this process's terminal becomes the terminal of a shell on the node."""

import asyncio
import os
import signal
from contextlib import ExitStack
from typing import Any

import asyncssh

from ..result import State
from ..text import printable
from . import terminal
from .connection import Ending

READ = 65536


async def shell(connection: asyncssh.SSHClientConnection) -> Ending:
    """Run the login shell on the node until it exits; see `Connection.shell`.

    With a terminal as standard input there is a real one on the node too, which
    follows ours in size; without, the shell reads our input to its end.
    """
    interactive = terminal.is_terminal()
    pty: dict[str, Any] = {"request_pty": False}
    if interactive:
        kind = os.environ.get("TERM", "xterm")
        pty = {"request_pty": "force", "term_type": kind, "term_size": terminal.size(0)}
    session = _Shell()
    try:
        channel, _ = await connection.create_session(lambda: session, encoding=None, **pty)
    except (asyncssh.Error, OSError) as error:
        return Ending(state=State.LOST, error=f"no shell: {printable(str(error))}")
    with ExitStack() as way_back:
        if interactive:
            way_back.callback(session.calm)
            way_back.enter_context(terminal.raw(0))
            way_back.enter_context(_Resizes(channel))
        with _Keys(session, interactive=interactive):
            await session.over.wait()
    channel.close()
    return session.ending()


class _Shell(asyncssh.SSHClientSession[bytes]):
    """Shows what the shell prints, and knows how it ended."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.left = False
        self.keys: _Keys | None = None
        self._error: Exception | None = None
        self._screen = terminal.Screen()

    def leave(self) -> None:
        """Go without waiting for the node."""
        self.left = True
        self.over.set()

    def calm(self) -> None:
        """Undo on our terminal what the shell's programs did, if they had no time to."""
        if self.channel.get_exit_status() is None and self.channel.get_exit_signal() is None:
            terminal.write(1, self._screen.calm() + b"\r\n")

    def ending(self) -> Ending:
        """Return how the shell ended."""
        status, killed = self.channel.get_exit_status(), self.channel.get_exit_signal()
        if killed is not None:
            name = printable(killed[0])
            return Ending(state=State.SIGNALLED, signal=name, error=f"killed by SIG{name}")
        if status is not None:
            state = State.FAILED if status else State.OK
            return Ending(state=state, exit_status=status)
        if self.left:
            return Ending(state=State.LOST, error="left with ~.")
        cause = f": {printable(str(self._error))}" if self._error else ""
        return Ending(state=State.LOST, error=f"the connection was lost{cause}")

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._screen.feed(data)
        try:
            terminal.write(2 if datatype else 1, data)
        except OSError:  # nobody reads our output any more
            self.channel.close()

    def pause_writing(self) -> None:
        if self.keys:
            self.keys.pause()

    def resume_writing(self) -> None:
        if self.keys:
            self.keys.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self.over.set()


class _Resizes:
    """Tells the node when our window changes its size."""

    def __init__(self, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        self._loop.add_signal_handler(signal.SIGWINCH, self._tell)
        self._tell()  # it may have changed while the channel was opened

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGWINCH)

    def _tell(self) -> None:
        self._channel.change_terminal_size(*terminal.size(0))


class _Keys:
    """Hands our standard input on, as fast as the node takes it."""

    def __init__(self, session: _Shell, *, interactive: bool) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._escape = terminal.Escape() if interactive else None
        self._next: asyncio.Handle | None = None

    def __enter__(self) -> None:
        self._session.keys = self
        self.resume()

    def __exit__(self, *_: object) -> None:
        self._session.keys = None
        self.pause()

    def resume(self) -> None:
        """Read on."""
        try:
            self._loop.add_reader(0, self._read)
        except OSError:  # a plain file or /dev/null: always readable, so no event says so
            self._next = self._loop.call_soon(self._read)

    def pause(self) -> None:
        """Read no more for now."""
        if self._next:
            self._next.cancel()
        else:
            self._loop.remove_reader(0)

    def _read(self) -> None:
        try:
            data = os.read(0, READ)
        except BlockingIOError:
            return
        except OSError:  # closed, or its terminal is gone
            data = b""
        if self._next:
            self._next = self._loop.call_soon(self._read)
        if not data:
            self.pause()
            self._session.channel.write_eof()
            return
        sent = self._escape.feed(data) if self._escape else data
        if sent is None:
            self._session.leave()
        elif sent:
            self._session.channel.write(sent)
