"""What became of one group that a launch tried to make whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..driver import Group
from ..errors import TinycloudError
from ..node import Node, node_name

Outcome = Node | TinycloudError
"""What became of one node that should come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of each node that the group should have, by index.

    `surplus` are the nodes beyond those; `refused` is what the driver raised when it
    was told to start the group.
    """

    group: Group
    outcomes: Mapping[int, Outcome]
    surplus: tuple[Node, ...]
    refused: TinycloudError | None

    @property
    def up(self) -> tuple[Node, ...]:
        """The nodes that came up."""
        return tuple(node for node in self.outcomes.values() if isinstance(node, Node))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that came up, and those beyond what was asked for."""
        return self.up + self.surplus

    @property
    def failed(self) -> tuple[int, ...]:
        """The indices of the nodes that did not come up."""
        return tuple(i for i, end in self.outcomes.items() if not isinstance(end, Node))

    @property
    def failures(self) -> dict[str, TinycloudError]:
        """What went wrong with each node, by its name; if with none, but with the group, that."""
        found = {
            node_name(self.group.tag, i): end
            for i, end in self.outcomes.items()
            if not isinstance(end, Node)
        }
        if self.refused is not None and not found:
            return {f"group {self.group.tag}": self.refused}
        return found
