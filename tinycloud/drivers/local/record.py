"""What is written down about a node: which process it is, and where it listens."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .process import Process

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One node. `launched_at` and `deadline` are seconds since 1970.

    `process` is None once the node has ended in an orderly way, which is to say
    that it left no process behind.
    """

    id: str
    port: int
    host_key: str
    launched_at: float
    deadline: float | None
    process: Process | None

    @property
    def running(self) -> bool:
        """Whether the node's process lives."""
        return self.process is not None and self.process.alive()

    def expired(self, now: float) -> bool:
        """Return whether the node's time to live is over."""
        return self.deadline is not None and self.deadline <= now

    def to_json(self) -> bytes:
        """Return the file that holds this record."""
        content = {
            "format": FORMAT,
            "id": self.id,
            "port": self.port,
            "host_key": self.host_key,
            "launched_at": self.launched_at,
            "deadline": self.deadline,
            "pid": self.process.pid if self.process else None,
            "born": self.process.born if self.process else None,
        }
        return json.dumps(content, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> "NodeRecord | None":
        """Return the record that a file holds, or None if it is damaged."""
        try:
            return cls._from_content(json.loads(data))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    @classmethod
    def _from_content(cls, content: dict[str, Any]) -> "NodeRecord":
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
        pid, deadline = content["pid"], content["deadline"]
        for moment in (content["launched_at"], deadline or 0):
            datetime.fromtimestamp(moment)
        return cls(
            id=str(content["id"]),
            port=int(content["port"]),
            host_key=str(content["host_key"]),
            launched_at=float(content["launched_at"]),
            deadline=None if deadline is None else float(deadline),
            process=None if pid is None else Process(int(pid), str(content["born"])),
        )
