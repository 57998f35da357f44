"""What a transfer has moved, added up over all nodes, and said in words."""

import time

from ..ssh.files.progress import Progress
from .say import counted


class Moved:
    """Adds up how far all nodes are; `verb` says what happens to files."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self._at: dict[str, Progress] = {}
        self._begun = time.monotonic()

    def note(self, progress: Progress) -> None:
        """Take note of how far a node is."""
        self._at[progress.node] = progress

    @property
    def bytes(self) -> int:
        """Bytes moved."""
        return sum(progress.bytes for progress in self._at.values())

    @property
    def of_bytes(self) -> int:
        """Bytes to move, as far as that is known."""
        return sum(progress.of_bytes for progress in self._at.values())

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    def nodes(self) -> str:
        """Return on how many nodes all is done, out of those that are at work."""
        done = sum(p.files == p.of_files for p in self._at.values())
        return f"{done} of {counted(len(self._at))} done"

    def summary(self) -> str:
        """Return all that was moved, in words."""
        files = sum(progress.files for progress in self._at.values())
        unchanged = sum(progress.unchanged for progress in self._at.values())
        rate = f", {size(self.bytes / self.seconds)}/s" if self.bytes else ""
        kept = f"; unchanged: {unchanged}" if unchanged else ""
        moved = f"{self.verb} {files} file{'' if files == 1 else 's'}"
        return f"{moved}, {size(self.bytes)} ({self.seconds:.1f} s{rate}){kept}"


_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(number: float) -> str:
    """Return a number of bytes in words: `1 byte`, `2.0 kB`, `1.5 GB`."""
    for unit in _UNITS:
        if number < 999.95 or unit == _UNITS[-1]:
            break
        number /= 1000
    if unit != "bytes":
        return f"{number:.1f} {unit}"
    return "1 byte" if round(number) == 1 else f"{number:.0f} bytes"
