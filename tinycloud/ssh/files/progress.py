"""How a transfer is coming along on one node."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What has been moved to or from one node so far, and what there is to move.

    `files` have arrived out of `of_files`, which hold `of_bytes`; `unchanged` were
    there already and are in neither. While a tree is read from a node, what there is
    to move grows. `remark` says, for people, what was passed over and why.
    """

    node: str
    files: int = 0
    of_files: int = 0
    bytes: int = 0
    of_bytes: int = 0
    unchanged: int = 0
    remark: str | None = None


Report = Callable[[Progress], None]
"""Is told of progress, often; called in the event loop, so it must not wait."""


def ignore(progress: Progress) -> None:
    """Tell nobody."""


class Tally:
    """Counts what is moved to or from one node, and reports it."""

    def __init__(self, node: str, report: Report) -> None:
        self.node = node
        self._report = report
        self._files = self._of_files = self._bytes = self._of_bytes = self._unchanged = 0

    def expect(self, files: int, size: int) -> None:
        """Note that there are so many more files to move, of so many bytes in all."""
        self._of_files += files
        self._of_bytes += size
        self._tell()

    def moved(self, size: int) -> None:
        """Note that so many bytes were moved; fewer than none if they were for nothing."""
        self._bytes += size
        self._tell()

    def arrived(self, files: int = 1) -> None:
        """Note that files have arrived whole."""
        self._files += files
        self._tell()

    def unchanged(self, files: int = 1) -> None:
        """Note that files were there already."""
        self._unchanged += files
        self._tell()

    def remark(self, text: str) -> None:
        """Say something about what is moved."""
        self._tell(text)

    def _tell(self, remark: str | None = None) -> None:
        self._report(
            Progress(
                node=self.node,
                files=self._files,
                of_files=self._of_files,
                bytes=self._bytes,
                of_bytes=self._of_bytes,
                unchanged=self._unchanged,
                remark=remark,
            )
        )
