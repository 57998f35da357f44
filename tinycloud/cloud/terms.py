"""What is asked of a launch."""

from dataclasses import dataclass

from .step import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms a cluster is launched; `deadline` is of `time.monotonic`.

    `wait` is whether to wait until nodes answer, `minimum` how many nodes of each group
    are enough, `report` is told of each step, and `accept_new` takes the word of a host
    of which no key is known.
    """

    deadline: float
    report: Report
    wait: bool = True
    minimum: int | None = None
    accept_new: bool = False
