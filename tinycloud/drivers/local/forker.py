"""The forker: one process that has imported everything once, and forks the nodes.

`line.Line` runs it as a program, with orders on stdin and answers on stdout; it
ends when stdin does.
"""

import ctypes.util
import gc
import os
import resource
import signal
from contextlib import suppress

OPEN_FILES = 4096


def main() -> None:
    """Import everything, be as the nodes should be, and serve one client."""
    # asyncssh looks for libraries that it could also use, with the help of ldconfig and a
    # C compiler: 50 ms, a fifth of its import, for algorithms that no node offers.
    ctypes.util.find_library = lambda name: None
    from .service import serve

    _reset()
    gc.collect()
    gc.freeze()  # what is here now is shared by all nodes: the collector must not touch it
    serve()


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


if __name__ == "__main__":
    main()
    os._exit(0)  # there is nothing to tidy up, and a client waits
