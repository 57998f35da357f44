"""One session of a client: a shell, a command, or file transfer."""

import os
from collections.abc import Mapping
from typing import cast

from asyncssh import SSHServerChannel
from asyncssh.channel import SSHChannel
from asyncssh.constants import EXTENDED_DATA_STDERR
from asyncssh.stream import SSHServerStreamSession

from .children import Children
from .machine import Machine
from .pty import Size, open_terminal
from .running import Running
from .sftp import Files
from .spawn import spawn_on_pipes, spawn_on_terminal

CANNOT_RUN = 126
SFTP_VERSION = 3


class Session(SSHServerStreamSession[bytes]):
    """Runs what the client asks for, as sshd would; asyncssh itself does the file transfer."""

    def __init__(self, machine: Machine, children: Children) -> None:
        super().__init__(None, lambda channel: Files(channel, machine), SFTP_VERSION)
        self._machine = machine
        self._children = children
        self._channel: SSHServerChannel[bytes]
        self._ends: tuple[int, int] | None = None
        self._running: Running | None = None

    def connection_made(self, chan: SSHChannel[bytes]) -> None:
        """Note the channel."""
        super().connection_made(chan)
        self._channel = cast(SSHServerChannel[bytes], chan)

    def pty_requested(
        self, term_type: str | None, term_size: Size, term_modes: Mapping[int, int]
    ) -> bool:
        """Open a terminal for the session that follows."""
        try:
            self._ends = open_terminal(term_size, term_modes)
        except OSError:
            return False
        return True

    def shell_requested(self) -> bool:
        """Allow a login shell."""
        return True

    def exec_requested(self, command: str) -> bool:
        """Allow any command that can be an argument of a program."""
        return "\0" not in command

    def session_started(self) -> None:
        """Start what was asked for."""
        if self._channel.get_subsystem() is not None:
            super().session_started()
            return
        try:
            self._running = self._start()
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else str(error)
            self._channel.write_stderr(f"{self._machine.login_shell}: {cause}\n".encode())
            self._channel.exit(CANNOT_RUN)

    def _start(self) -> Running:
        shell, command = self._machine.login_shell, self._channel.get_command()
        name = os.path.basename(shell)
        arguments = [f"-{name}"] if command is None else [name, "-c", command]
        if self._ends is not None:
            return self._start_on_terminal(self._ends, arguments)
        return self._start_on_pipes(arguments)

    def _start_on_terminal(self, ends: tuple[int, int], arguments: list[str]) -> Running:
        ours, theirs = ends
        environment = self._environment() | {
            "TERM": self._channel.get_terminal_type() or "dumb",
            "SSH_TTY": os.ttyname(theirs),
        }
        stdin = os.dup(ours)
        try:
            pid = spawn_on_terminal(self._machine.login_shell, arguments, environment, theirs)
        except OSError:
            os.close(stdin)
            raise
        os.close(theirs)
        self._ends = None
        return Running(
            self._channel,
            pid,
            self._children.exit_of(pid),
            stdin=stdin,
            outputs={ours: None},
            terminal=ours,
        )

    def _start_on_pipes(self, arguments: list[str]) -> Running:
        (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = _pipes(3)
        ours, theirs = (to_stdin, from_stdout, from_stderr), (stdin, stdout, stderr)
        try:
            shell, environment = self._machine.login_shell, self._environment()
            pid = spawn_on_pipes(shell, arguments, environment, theirs)
        except BaseException:
            _close(ours)
            raise
        finally:
            _close(theirs)
        for descriptor in ours:
            os.set_blocking(descriptor, False)
        return Running(
            self._channel,
            pid,
            self._children.exit_of(pid),
            stdin=to_stdin,
            outputs={from_stdout: None, from_stderr: EXTENDED_DATA_STDERR},
            terminal=None,
        )

    def _environment(self) -> dict[str, str]:
        machine, sent = self._machine, self._channel.get_environment()
        host, port = self._channel.get_extra_info("sockname")[:2]
        client, client_port = self._channel.get_extra_info("peername")[:2]
        return {
            **machine.environment,
            **{k: v for k, v in sent.items() if k == "LANG" or k.startswith("LC_")},
            "HOME": str(machine.home),
            "USER": machine.username,
            "LOGNAME": machine.username,
            "SHELL": machine.login_shell,
            "SSH_CLIENT": f"{client} {client_port} {port}",
            "SSH_CONNECTION": f"{client} {client_port} {host} {port}",
        }

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Take what the client sends."""
        if self._running:
            self._running.take(data)
        else:
            super().data_received(data, datatype)

    def eof_received(self) -> bool:
        """Take note that the client sends no more; the channel stays open for output."""
        if self._running:
            self._running.finish()
            return True
        return super().eof_received()

    def pause_writing(self) -> None:
        """Stop the output: the client doesn't take it."""
        if self._running:
            self._running.pause()
        else:
            super().pause_writing()

    def resume_writing(self) -> None:
        """Let the output flow again."""
        if self._running:
            self._running.resume()
        else:
            super().resume_writing()

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Resize the terminal."""
        if self._running:
            self._running.resize((width, height, pixwidth, pixheight))

    def signal_received(self, signal: str) -> None:
        """Signal the session's process group."""
        if self._running:
            self._running.send_signal(signal)

    def break_received(self, msec: int) -> bool:
        """Interrupt the foreground job: what a break does to a terminal."""
        if self._running:
            self._running.send_signal("INT")
        return self._running is not None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the session's streams; on a terminal that hangs it up."""
        if self._running:
            self._running.close()
        if self._ends:
            _close(self._ends)
        super().connection_lost(exc)


def _pipes(count: int) -> list[tuple[int, int]]:
    made: list[tuple[int, int]] = []
    try:
        for _ in range(count):
            made.append(os.pipe())
    except OSError:
        for ends in made:
            _close(ends)
        raise
    return made


def _close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
