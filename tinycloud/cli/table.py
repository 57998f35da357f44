"""Tables: with colours on a terminal, plain and aligned elsewhere."""

import sys
from collections.abc import Sequence
from datetime import datetime

from ..driver import Stray
from ..node import Node, Status
from ..store import Record
from ..text import printable
from .lifetime import words
from .say import colours

_COLOURS: dict[str, int] = {
    Status.RUNNING: 32,
    Status.PENDING: 33,
    Status.STOPPED: 33,
    Status.TERMINATED: 31,
}


def nodes(found: Sequence[Node]) -> None:
    """Print a table of nodes; one says when they end if any of them does."""
    ends = any(node.expires_at for node in found)
    rows = [
        (
            node.name,
            str(node.status),
            node.address or "-",
            str(node.port),
            node.username,
            node.id or "-",
            _time(node.launched_at),
            *([_time(node.expires_at)] if ends else []),
        )
        for node in found
    ]
    head = ("NODE", "STATUS", "ADDRESS", "PORT", "USER", "ID", "LAUNCHED")
    show((*head, *(["EXPIRES"] if ends else [])), rows)


def strays(found: Sequence[Stray]) -> None:
    """Print a table of clusters that nobody remembers, with all that there is of each."""
    rows = [
        (
            stray.cluster or "-",
            stray.generation[:8],
            stray.where,
            _time(stray.created_at),
            _time(stray.expires_at),
            " ".join(stray.resources),
        )
        for stray in found
    ]
    show(("CLUSTER", "ID", "REGION", "LAUNCHED", "EXPIRES", "RESOURCES"), rows)


def clusters(records: Sequence[Record]) -> None:
    """Print a table of clusters; one says how long new nodes live if that is limited."""
    lives = [[group.ttl for group in record.groups if group.ttl] for record in records]
    rows = [
        (
            record.name,
            ", ".join(dict.fromkeys(group.driver or "(a program's)" for group in record.groups)),
            ", ".join(f"{group.tag} x {group.count}" for group in record.groups),
            _time(_parsed(record.created_at)),
            *([", ".join(dict.fromkeys(map(words, ttls))) or "-"] if any(lives) else []),
        )
        for record, ttls in zip(records, lives, strict=True)
    ]
    head = ("CLUSTER", "DRIVER", "GROUPS", "LAUNCHED")
    show((*head, *(["TTL"] if any(lives) else [])), rows)


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _time(moment: datetime | None) -> str:
    """Return a moment in this machine's time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else "-"


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head, each column as wide as its widest text."""
    safe = [[printable(text).expandtabs() for text in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(head, *safe, strict=True)]
    coloured = colours(sys.stdout)
    print(_bold(_line(head, widths)) if coloured else _line(head, widths))
    for row in safe:
        print(_line(row, widths, coloured=coloured))


def _line(texts: Sequence[str], widths: Sequence[int], *, coloured: bool = False) -> str:
    cells = [text.ljust(width) for text, width in zip(texts, widths, strict=True)]
    cells[-1] = texts[-1]
    if coloured:
        cells = [
            f"\x1b[{_COLOURS[text]}m{cell}\x1b[0m" if text in _COLOURS else cell
            for text, cell in zip(texts, cells, strict=True)
        ]
    return "  ".join(cells)


def _bold(line: str) -> str:
    return f"\x1b[1m{line}\x1b[0m"
