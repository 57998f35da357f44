"""Tables: with colours on a terminal, plain and aligned elsewhere."""

import sys
from collections.abc import Sequence

from ..node import Node, Status
from ..store import Record
from ..text import printable
from .say import colours

_COLOURS = {
    Status.RUNNING: 32,
    Status.PENDING: 33,
    Status.STOPPED: 33,
    Status.TERMINATED: 31,
}


def nodes(found: Sequence[Node]) -> None:
    """Print a table of nodes."""
    rows = [
        (
            node.name,
            str(node.status),
            node.address or "-",
            str(node.port),
            node.username,
            node.id or "-",
            node.launched_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            if node.launched_at
            else "-",
        )
        for node in found
    ]
    show(("NODE", "STATUS", "ADDRESS", "PORT", "USER", "ID", "LAUNCHED"), rows)


def clusters(records: Sequence[Record]) -> None:
    """Print a table of clusters."""
    rows = [
        (
            record.name,
            ", ".join(dict.fromkeys(group.driver or "(a program's)" for group in record.groups)),
            ", ".join(f"{group.tag} x {group.count}" for group in record.groups),
            record.created_at[:19].replace("T", " ") + " UTC",
        )
        for record in records
    ]
    show(("CLUSTER", "DRIVER", "GROUPS", "LAUNCHED"), rows)


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head, each column as wide as its widest text."""
    safe = [[printable(text) for text in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(head, *safe, strict=True)]
    bold = colours(sys.stdout)
    line = _line(head, widths)
    print(f"\x1b[1m{line}\x1b[0m" if bold else line)
    for row in safe:
        print(_coloured(_line(row, widths)) if bold else _line(row, widths))


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()


def _coloured(line: str) -> str:
    for status, colour in _COLOURS.items():
        line = line.replace(f"  {status} ", f"  \x1b[{colour}m{status}\x1b[0m ", 1)
    return line
