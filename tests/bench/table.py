"""What was measured, as a table, and what the project promises of it."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LIBRARY, BARE = "tinycloud library", "bare asyncssh"
PROGRAM, PEERS = "tinycloud execute", ("clush", "pdsh", "ansible -m raw")

_HEAD = """\
| {count} machines | new: nodes/s | CPU, ms/node | time | open: nodes/s | CPU, ms/node | time | MB |
|---|--:|--:|--:|--:|--:|--:|--:|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one run took: seconds, the client's processor seconds, and MB of memory.

    `warm_` is over connections that are open already, for those who can do that.
    """

    seconds: float
    processor: float
    memory: float
    warm_seconds: float | None = None
    warm_processor: float | None = None


PROMISED = 128
"""For how many machines the project makes promises."""

Rounds = Sequence[Taken]
Found = Mapping[str, Rounds]
"""For each contender, what it took in each round."""


def median(rounds: Rounds, what: str) -> float | None:
    """Return the median of a field; None if it was not measured."""
    values = [value for taken in rounds if (value := getattr(taken, what)) is not None]
    return statistics.median(values) if values else None


def ratio(rounds: Rounds, others: Rounds, what: str) -> float | None:
    """Return the median of how many times as much it took as others did in the same round."""
    both = zip(rounds, others, strict=False)  # of whom was left out there are none
    pairs = ((getattr(one, what), getattr(other, what)) for one, other in both)
    ratios = [one / other for one, other in pairs if one and other]
    return statistics.median(ratios) if ratios else None


def table(count: int, found: Found) -> str:
    """Return what was found for so many machines, in Markdown.

    Times are compared with ours: a program's with our program's, a library's with our
    library's.
    """
    return _HEAD.format(count=count) + "".join(_row(count, name, found) for name in found)


def _row(count: int, name: str, found: Found) -> str:
    ours = found.get(PROGRAM if name in (PROGRAM, *PEERS) else LIBRARY, ())
    cells = [name]
    for kind in ("", "warm_"):
        seconds = median(found[name], f"{kind}seconds")
        processor = median(found[name], f"{kind}processor")
        times = ratio(found[name], ours, f"{kind}seconds")
        cells.append(f"{count / seconds:.0f}" if seconds else "")
        cells.append(f"{1000 * processor / count:.2f}" if processor else "")
        cells.append(f"{times:.2f} x" if times else "")
    cells.append(f"{median(found[name], 'memory'):.0f}")
    return f"| {' | '.join(cells)} |\n"


def promises(found: Found) -> str:
    """Return what the project promises for so many machines, beside what was found."""
    return "\n".join(_promises(found)) + "\n"


def _promises(found: Found) -> Iterator[str]:
    ours, bare, program = (found.get(name, ()) for name in (LIBRARY, BARE, PROGRAM))
    for kind, most, name in (("", 4.0, "new"), ("warm_", 0.7, "open")):
        if times := ratio(ours, bare, f"{kind}seconds"):
            yield f"library, {name} connections: {times:.2f} of the bare gather's time (<= 1.10)"
        used, least = (median(rounds, f"{kind}processor") for rounds in (ours, bare))
        if used and least:
            yield (
                f"library, {name} connections: {1000 * used / PROMISED:.2f} ms of CPU a node "
                f"(<= {most}), {used / least:.2f} of the bare gather's (<= 1.2)"
            )
    for name in PEERS:
        if times := ratio(program, found.get(name, ()), "seconds"):
            yield f"tinycloud execute: {times:.2f} of the time of {name} (<= 0.35)"
