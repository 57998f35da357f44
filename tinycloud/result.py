"""What became of a command on each node: every node ends in exactly one state."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from .errors import CommandFailed
from .node import Node


class State(StrEnum):
    """How one node ended; unknown is never `ok`."""

    OK = "ok"
    FAILED = "failed"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    LOST = "lost"
    GONE = "gone"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One command on one node.

    `exit_status` is None unless the command ended by itself; `duration` is in
    seconds, from the first attempt to connect; `error` says in words what went
    wrong, and is None when nothing did. It is `confirmed` unless the command may still
    be running, which `error` says too.
    """

    node: Node
    state: State
    exit_status: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    duration: float = 0.0
    error: str | None = None
    confirmed: bool = True

    @property
    def ok(self) -> bool:
        """Whether the command ran and exited with 0."""
        return self.state is State.OK

    @property
    def text(self) -> str:
        r"""The standard output, decoded; bytes that are not UTF-8 appear as `\xff`."""
        return self.stdout.decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A piece of what a command printed: `stream` is `stdout` or `stderr`."""

    node: Node
    stream: str
    data: bytes


class Results(tuple[Result, ...]):
    """The results of one command on many nodes, ordered by group, then index."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether every node is `ok`."""
        return all(result.ok for result in self)

    @property
    def failed(self) -> "Results":
        """The results that are not `ok`."""
        return Results(result for result in self if not result.ok)

    @property
    def counts(self) -> dict[State, int]:
        """How many nodes ended in each state; they add up to the number of nodes."""
        found = Counter(result.state for result in self)
        return {state: found[state] for state in State if found[state]}

    def check(self) -> "Results":
        """Return these results if all are `ok`, or raise `CommandFailed` with them."""
        if self.ok:
            return self
        odd = "; ".join(f"{r.node.name}: {r.error or r.state}" for r in self.failed[:5])
        more = f"; and {len(self.failed) - 5} more" if len(self.failed) > 5 else ""
        raise CommandFailed(
            f"{len(self.failed)} of {len(self)} nodes failed",
            cause=odd + more,
            fix="look at `.results.failed` of this error",
            results=self,
        )
