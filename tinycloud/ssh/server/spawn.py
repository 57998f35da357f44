"""Start a session's process."""

import fcntl
import os
import signal
import termios
from collections.abc import Mapping, Sequence

# Python ignores these two, and a process that was told to ignore a signal stays deaf to it.
_DEAF_TO = (signal.SIGPIPE, signal.SIGXFSZ)


def spawn_on_pipes(
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    pipes: tuple[int, int, int],
) -> int:
    """Start `program` in a session of its own, with these stdin, stdout and stderr."""
    actions = [(os.POSIX_SPAWN_DUP2, pipe, number) for number, pipe in enumerate(pipes)]
    return os.posix_spawn(
        program,
        list(arguments),
        dict(environment),
        file_actions=actions,
        setsid=True,
        setsigdef=_DEAF_TO,
    )


def spawn_on_terminal(
    program: str, arguments: Sequence[str], environment: Mapping[str, str], terminal: int
) -> int:
    """Start `program` in a session of its own, whose controlling terminal this is."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)  # it is shared with our parent
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(terminal, number)
        for number in _DEAF_TO:
            signal.signal(number, signal.SIG_DFL)
        os.execve(program, list(arguments), dict(environment))  # noqa: S606 - our own shell
    except OSError as error:
        os.write(2, f"{program}: {error.strerror}\r\n".encode())
    finally:
        os._exit(127)
