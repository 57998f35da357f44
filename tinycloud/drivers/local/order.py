"""What a client and the forker say to each other, as JSON, a line each."""

import json
from dataclasses import asdict, dataclass

from ...errors import ClusterBusy, InvalidInput, MachineError, ProviderError, TinycloudError

_KINDS = {kind.__name__: kind for kind in (ClusterBusy, InvalidInput, MachineError, ProviderError)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The client's wish: that a group has `count` running nodes."""

    root: str
    cluster: str
    tag: str
    count: int
    authorized_keys: tuple[str, ...]
    ttl: float | None

    def to_line(self) -> bytes:
        """Return the line that says this."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Order":
        """Return the order that a line holds."""
        content = json.loads(line)
        return cls(**content | {"authorized_keys": tuple(content["authorized_keys"])})


@dataclass(frozen=True, slots=True)
class Answer:
    """The forker's answer: done, or the error that stopped it."""

    error: TinycloudError | None

    def to_line(self) -> bytes:
        """Return the line that says this."""
        error = self.error
        told = error and [type(error).__name__, error.what, error.cause, error.fix]
        return json.dumps({"error": told}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Answer | None":
        """Return the answer that a line holds, or None if it is something else."""
        try:
            told = json.loads(line)["error"]
        except (ValueError, TypeError, KeyError):
            return None
        if told is None:
            return cls(None)
        kind, what, cause, fix = told
        return cls(_KINDS.get(kind, ProviderError)(what, cause=cause, fix=fix))
