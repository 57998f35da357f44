"""`tinycloud` and `python -m tinycloud`."""

import signal
import sys


def main() -> None:
    """Run the command line and exit; an interrupt while it loads is no traceback."""
    try:
        from .cli import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said and done
    sys.exit(code)


if __name__ == "__main__":
    main()
