"""The process of one session, from its start to the end of its channel."""

import asyncio
import os
import signal
from contextlib import suppress

import asyncssh
from asyncssh.packet import Boolean, String, UInt32

from .flow import Inlet, Outlet
from .pty import Size, resize

# The signals that RFC 4254 names; others get a name of OpenSSH's own space, as its sshd does.
_SIGNALS = "ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2"


class Running:
    """A process whose streams are carried over a channel.

    Like sshd, it reports the exit as soon as the process has ended and its output
    is through, and closes the channel when nobody holds the pipes any more; a
    terminal closes with its process.
    """

    def __init__(
        self,
        channel: asyncssh.SSHServerChannel[bytes],
        pid: int,
        ended: "asyncio.Future[int]",
        *,
        stdin: int,
        outputs: dict[int, int | None],
        terminal: int | None,
    ) -> None:
        self._channel = channel
        self._pid = pid
        self._terminal = terminal
        self._stdin = Inlet(stdin, channel)
        self._outlets = [
            Outlet(descriptor, channel, datatype=datatype, moved=self._settle)
            for descriptor, datatype in outputs.items()
        ]
        self._status: int | None = None
        self._reported = self._paused = self._lost = False
        # So we are paused exactly while something is unsent.
        channel.set_write_buffer_limits(0, 0)
        self.resume()
        ended.add_done_callback(self._exited)

    def take(self, data: bytes) -> None:
        """Hand what the client sends to the process."""
        self._stdin.take(data)

    def finish(self) -> None:
        """Close the process's stdin: the client sends no more."""
        self._stdin.finish()

    def pause(self) -> None:
        """Read no more output: the client doesn't take it."""
        self._paused = True
        for outlet in self._outlets:
            outlet.shut()

    def resume(self) -> None:
        """Read output again."""
        self._paused = False
        if not self._lost:
            for outlet in self._outlets:
                outlet.open()
            self._drain()

    def resize(self, size: Size) -> None:
        """Tell the terminal its new size."""
        if self._terminal is not None and not self._outlets[0].ended:
            resize(self._terminal, size)

    def send_signal(self, name: str) -> None:
        """Signal the session's process group, on a terminal the foreground job."""
        if self._status is None and name in _SIGNALS.split():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group(), getattr(signal, f"SIG{name}"))

    def _group(self) -> int:
        if self._terminal is not None and not self._outlets[0].ended:
            with suppress(OSError):
                return os.tcgetpgrp(self._terminal) or self._pid
        return self._pid

    def close(self) -> None:
        """Let go of the streams, since the channel is no more."""
        self._lost = True
        self._stdin.close()
        for outlet in self._outlets:
            outlet.close()

    def _exited(self, ended: "asyncio.Future[int]") -> None:
        self._status = ended.result()
        if self._lost:
            return
        self._stdin.close()
        for outlet in self._outlets:
            outlet.expect_the_end()
        self._drain()

    def _drain(self) -> None:
        """Once the process has exited, take what is left of its output, and no more."""
        if self._status is None:
            return
        for outlet in self._outlets:
            while not (outlet.drained or self._paused or self._lost):
                outlet.carry()
        self._settle()

    def _settle(self) -> None:
        """Report the exit and close the channel, as soon as each is due."""
        if self._lost or self._paused or self._status is None:
            return
        if not self._reported and all(outlet.drained for outlet in self._outlets):
            self._reported = True
            _report(self._channel, self._status)
        if self._reported and (
            self._terminal is not None or all(outlet.ended for outlet in self._outlets)
        ):
            self._channel.write_eof()
            self._channel.close()
            self.close()


def _report(channel: asyncssh.SSHServerChannel[bytes], status: int) -> None:
    """Send the exit status, or the signal; asyncssh's own `exit` would close the channel too."""
    if not os.WIFSIGNALED(status):
        channel._send_request(b"exit-status", UInt32(os.waitstatus_to_exitcode(status)))
        return
    number = os.WTERMSIG(status)
    try:
        name = signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        name = str(number)
    name = name if name in _SIGNALS.split() else f"{name}@openssh.com"
    core = Boolean(os.WCOREDUMP(status))
    channel._send_request(b"exit-signal", String(name), core, String(""), String(""))
