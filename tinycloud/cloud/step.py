"""What a launch, or a command on many nodes, tells whoever watches it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..errors import TinycloudError


class Stage(StrEnum):
    """How far a node has come; `failed` and `removed` may follow any other."""

    PLANNED = "planned"
    STARTED = "started"
    CONNECTED = "connected"
    READY = "ready"
    FAILED = "failed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Step:
    """One node has come to a stage; `detail` says how or why, for people."""

    stage: Stage
    node: str
    detail: str = ""
    error: TinycloudError | None = None


Report = Callable[[Step], None]
"""Is told of each step; called in the event loop, so it must not wait."""


def ignore(step: Step) -> None:
    """Tell nobody."""
