"""How a launch is coming along: a live line for each stage, or plain ones."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from ..cloud import Cloud, Stage, Step
from ..node import node_name
from ..nodeset import folded
from .hosts import word
from .say import MANNER, note

STAGES = (Stage.STARTED, Stage.CONNECTED, Stage.READY)


class Face(Protocol):
    """What shows how many nodes have come to a stage."""

    def start(self) -> None: ...

    def show(self, stage: str, done: int) -> None: ...

    def stop(self) -> None: ...


class Watch:
    """Keeps count of the steps of a launch, and shows them.

    A launch that does not wait has no `stages`: then only failures are shown.
    """

    def __init__(self, cloud: Cloud, stages: Sequence[Stage] = STAGES) -> None:
        self._names = [
            node_name(group.tag, index) for group in cloud.groups for index in range(group.count)
        ]
        self._at: dict[str, set[str]] = {stage: set() for stage in Stage}
        self._stages = stages
        self._word = word(cloud, "destroyed")
        self._face = _face(stages, len(self._names), self._remark)

    @property
    def may_remain(self) -> str:
        """The names of the nodes that were not seen to be removed."""
        return folded(name for name in self._names if name not in self._at[Stage.REMOVED])

    def __enter__(self) -> Self:
        self._face.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if removed := self._at[Stage.REMOVED]:
            note(f"{self._word} again: {folded(sorted(removed))}")

    def stop(self) -> None:
        """Show no more."""
        self._face.stop()

    def report(self, step: Step) -> None:
        """Take note of a step; given to `Cloud.launch`."""
        self._at[step.stage].add(step.node)
        if step.stage is Stage.FAILED:
            note(step.detail if step.node in step.detail else f"{step.node}: {step.detail}")
        if step.stage in self._stages:
            self._face.show(step.stage, len(self._at[step.stage]))

    def _remark(self, stage: str) -> str:
        """Return who keeps a stage waiting, and how many it waits for no more."""
        reached, failed = self._at[stage], self._at[Stage.FAILED]
        remarks = []
        if given_up := failed - reached:
            remarks.append(f"{len(given_up)} failed")
        late = [name for name in self._names if name not in reached | failed]
        if reached and late:
            remarks.append(f"waiting for {folded(late)}")
        return ", ".join(remarks)


class Lines:
    """A plain line for each stage once all nodes have come to it, or no more will."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = time.monotonic()
        self._done: dict[str, int] = {}

    def start(self) -> None:
        """Show nothing yet."""

    def show(self, stage: str, done: int) -> None:
        """Take note that so many nodes have come to this stage."""
        self._done[stage] = done
        if done == self._total:
            self._say(stage)

    def stop(self) -> None:
        """Show the stages that not all nodes came to."""
        for stage, done in self._done.items():
            if done < self._total:
                self._say(stage)

    def _say(self, stage: str) -> None:
        seconds = time.monotonic() - self._begun
        note(f"{stage}: {self._done[stage]} of {self._total} ({seconds:.1f} s)")


def _face(stages: Sequence[Stage], total: int, remark: Callable[[str], str]) -> Face:
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if not terminal or MANNER.quiet or not stages:
        return Lines(total)
    # Loaded here: a launch that nobody watches need not wait for it.
    from .live import Live

    return Live(stages, total, remark)
