"""`tinycloud` and `python -m tinycloud`."""

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and exit; an interrupt while it loads is no traceback."""
    try:
        from .cli import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said and done
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # what could be said of it has been
            stream.flush()
    os._exit(code)  # to take the interpreter apart would take 0.1 s, and mend nothing


if __name__ == "__main__":
    main()
