"""The forker: one process that has imported everything once, and forks the nodes.

`line.Line` runs it as a program. It reads orders from stdin, a line each, answers
each with a line on stdout, and ends when stdin does.
"""

import gc
import os
import resource
import signal
from contextlib import suppress

from ...errors import MachineError, TinycloudError
from ...ssh.server import rehearse
from .birth import fulfil
from .descriptor import readable_now
from .order import Answer, Order

ORDERS, ANSWERS = 0, 1
OPEN_FILES = 4096


def main() -> None:
    """Serve one client until it closes our stdin, by dying if need be."""
    rehearse()
    _reset()
    gc.collect()
    gc.freeze()  # what is here now is shared by all nodes: the collector must not touch it
    with os.fdopen(ORDERS, "rb", closefd=False) as orders:
        for line in orders:
            os.write(ANSWERS, _answer(Order.from_line(line)).to_line())


def _reset() -> None:
    """Be as a new process should be, whatever launched us, since so will the nodes be."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with suppress(OSError, ValueError):  # some are the C library's own
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # errors tell of these, as ever in Python
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nodes that end must not stay as zombies
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    if 0 <= files < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))


def _answer(order: Order) -> Answer:
    try:
        # A client has one order here at a time: what can be read now is the end.
        fulfil(order, lambda: readable_now(ORDERS))
    except TinycloudError as error:
        return Answer(error)
    except OSError as error:
        return Answer(
            MachineError(
                f"can't start the nodes of group '{order.tag}'",
                cause=error.strerror or str(error),
                fix="free some of what is short, and run the same command again",
            )
        )
    return Answer(None)


if __name__ == "__main__":
    main()
    os._exit(0)
