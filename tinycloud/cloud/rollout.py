"""The course of one command over many nodes: who has failed, and whether others may begin."""

from dataclasses import dataclass, field

from ..result import Result
from ..ssh.stop import Stop
from .policy import Policy


@dataclass(slots=True, kw_only=True)
class Rollout:
    """Keeps count of failures on `total` nodes, and ends it all when the policy says so."""

    policy: Policy
    total: int
    stop: Stop
    _failed: list[str] = field(default_factory=list)

    def objection(self) -> str | None:
        """Return why no more nodes may begin, if so."""
        return self.stop.why or self.policy.objection(self._failed, self.total)

    def note(self, result: Result) -> None:
        """Take note of how a node ended."""
        if result.ok or self.objection():
            return
        self._failed.append(result.node.name)
        objection = self.objection()
        if objection and self.policy.fail_fast:
            self.stop(objection)
