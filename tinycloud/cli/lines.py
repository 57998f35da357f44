"""Output of many nodes as labelled lines, whatever the nodes print."""

import sys
from typing import TextIO

from ..node import Node
from ..result import Output
from ..text import printable
from .say import colours

LONGEST = 64 * 1024
"""Bytes of one line that are held back for its end; a longer one comes in pieces."""

# Six colours that can be read on dark and on light.
_COLOURS = (36, 33, 32, 35, 34, 31)


class Lines:
    """Writes the lines of one of our streams, each under its node's name.

    On a terminal the names have colours, and what could move the cursor is shown as
    an escape; elsewhere every byte of a line is as the node sent it.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file.buffer
        self._terminal = file.isatty()
        self._colours = colours(file)
        self._begun: dict[str, bytes] = {}

    def feed(self, node: Node, data: bytes) -> None:
        """Take what a node printed, and write the lines that it completes."""
        *whole, rest = (self._begun.pop(node.name, b"") + data).split(b"\n")
        while len(rest) >= LONGEST:
            whole.append(rest[:LONGEST])
            rest = rest[LONGEST:]
        if rest:
            self._begun[node.name] = rest
        self._write(node, whole)

    def finish(self, node: Node) -> None:
        """Write what a node printed last without ending the line."""
        if rest := self._begun.pop(node.name, b""):
            self._write(node, [rest])

    def _write(self, node: Node, lines: list[bytes]) -> None:
        label = self._label(node)
        self._file.write(b"".join(label + self._shown(line) + b"\n" for line in lines))
        self._file.flush()

    def _label(self, node: Node) -> bytes:
        if not self._colours:
            return f"{node.name}: ".encode()
        colour = _COLOURS[(sum(node.tag.encode()) + node.index) % len(_COLOURS)]
        return f"\x1b[{colour}m{node.name}:\x1b[0m ".encode()

    def _shown(self, line: bytes) -> bytes:
        if not self._terminal:
            return line
        return printable(line.decode(errors="backslashreplace")).encode()


class Labelled:
    """Standard output and standard error of the nodes, on ours."""

    def __init__(self) -> None:
        self._streams = {"stdout": Lines(sys.stdout), "stderr": Lines(sys.stderr)}

    def feed(self, output: Output) -> None:
        """Take a piece of output."""
        self._streams[output.stream].feed(output.node, output.data)

    def finish(self, node: Node) -> None:
        """Take note that a node prints no more."""
        for lines in self._streams.values():
            lines.finish(node)
