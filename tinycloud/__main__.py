"""`tinycloud` and `python -m tinycloud`."""

import os
import sys


def main() -> None:
    """Run the command line and exit; an interrupt while it loads is no traceback."""
    try:
        from .cli import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    os._exit(code) if code == 130 else sys.exit(code)


if __name__ == "__main__":
    main()
