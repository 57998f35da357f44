"""Run the command line, and die by SIGKILL just before its Nth change to the world.

    python mortal.py N COUNTFILE WORDS...

A change is what the interpreter tells audit hooks of: files and folders that are made,
renamed, locked or removed, processes that are started or signalled, connections that are
opened; and what is written to pipes and sent by way of pidfds. With an N past the last
change it lives, and writes how many there were to COUNTFILE.
"""

import os
import signal
import sys
from typing import Any

CHANGES = {
    "fcntl.flock",
    "os.chmod",
    "os.kill",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "socket.connect",
    "subprocess.Popen",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Fate:
    """Counts the changes, and strikes at the one that is due."""

    def __init__(self, due: int) -> None:
        self.due = due
        self.changes = 0

    def change(self) -> None:
        """Take note of a change that is about to be made."""
        self.changes += 1
        if self.changes == self.due:
            self.due = -1
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Be an audit hook."""
        if event in CHANGES or (event == "open" and _writes(*arguments)):
            self.change()

    def before(self, module: Any, name: str) -> None:
        """Make calls of a function count that no audit hook hears of."""
        plain = getattr(module, name)

        def counted(*arguments: Any) -> Any:
            self.change()
            return plain(*arguments)

        setattr(module, name, counted)


def _writes(path: object, mode: str | None, flags: int) -> bool:
    return bool(flags & WRITING) and path != os.devnull


def main() -> None:
    """Run the rest of our command line as tinycloud's."""
    fate = Fate(int(sys.argv[1]))
    sys.addaudithook(fate.hook)
    fate.before(os, "write")
    if hasattr(signal, "pidfd_send_signal"):
        fate.before(signal, "pidfd_send_signal")
    from tinycloud.cli import main as tinycloud

    code = tinycloud(sys.argv[3:])
    with open(sys.argv[2], "w") as file:
        file.write(str(fate.changes))
    sys.exit(code)


if __name__ == "__main__":
    main()
