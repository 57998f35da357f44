"""How far a command is: who is connected, who runs, how the others ended, and why."""

import time
from collections import Counter

from ..cloud import Stage, Step
from ..errors import Unreachable
from ..nodeset import folded
from ..result import Output, Result, State

_ENDS = {
    State.FAILED: "exited",
    State.SIGNALLED: "signal",
    State.UNTRUSTED: "host key",
}


class Tally:
    """Keeps count of the nodes a command is for; told of steps and of results."""

    def __init__(self) -> None:
        self._planned: dict[str, None] = {}
        self._connected: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._ended: dict[str, Result] = {}

    def report(self, step: Step) -> None:
        """Take note of a step; given to `Cloud.stream`."""
        if step.stage is Stage.PLANNED:
            self._planned[step.node] = None
        elif step.stage is Stage.CONNECTED:
            self._connected[step.node] = time.monotonic()
        elif isinstance(step.error, Unreachable):
            self._reasons[step.node] = step.error.reason

    async def feed(self, output: Output) -> None:
        """Take no note of output."""

    async def finish(self, result: Result) -> None:
        """Take note of how a node ended."""
        self._ended[result.node.name] = result

    async def end(self) -> None:
        """Take note that no more will come."""

    @property
    def planned(self) -> list[str]:
        """The names of all nodes that the command is for."""
        return list(self._planned)

    @property
    def connected(self) -> list[str]:
        """The names of all nodes that could be connected to, in that order."""
        return list(self._connected)

    @property
    def running(self) -> list[str]:
        """Who is at it, the longest first."""
        return [name for name in self._connected if name not in self._ended]

    @property
    def waiting(self) -> list[str]:
        """Who is not connected yet."""
        begun = {*self._connected, *self._ended}
        return [name for name in self._planned if name not in begun]

    def text(self) -> str:
        """Return all of it in a line."""
        running = self.running
        parts = [f"connected {len(self._connected)}/{len(self._planned)}"]
        if running:
            parts.append(f"running {len(running)}")
        states = Counter(result.state for result in self._ended.values())
        if ok := states.pop(State.OK, 0):
            parts.append(f"ok {ok}")
        if skipped := states.pop(State.SKIPPED, 0):
            parts.append(f"skipped {skipped}")
        if failed := states.total():
            parts.append(f"failed {failed} ({self._why()})")
        if running and self._ended:
            seconds = time.monotonic() - self._connected[running[0]]
            parts.append(f"slowest {running[0]} {seconds:.0f} s")
        return " · ".join(parts)

    def _why(self) -> str:
        """Return for what reasons nodes failed, the most frequent first."""
        reasons = Counter(
            self._reasons.get(name) or _reason(result)
            for name, result in self._ended.items()
            if result.state not in (State.OK, State.SKIPPED)
        )
        return ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())

    def left(self) -> list[str]:
        """Return the lines that say of whom there is no result yet."""
        running, waiting = self.running, self.waiting
        lines = [f"running: {folded(running)}"] if running else []
        return [*lines, f"not connected yet: {folded(waiting)}"] if waiting else lines


def _reason(result: Result) -> str:
    return _ENDS.get(result.state, str(result.state))
