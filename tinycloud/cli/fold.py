"""Outputs of many nodes, identical ones once."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..node import Node
from .kept import Kept, Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What some nodes printed, all the same; unless it is `whole`, they were cut off."""

    nodes: tuple[Node, ...]
    output: Kept
    whole: bool


class Fold:
    """Folds one stream of many nodes, in memory that is bounded whatever they print."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._begun: dict[Node, Kept] = {}
        self._found: dict[tuple[bool, int, bytes], tuple[Kept, list[Node]]] = {}
        self.silent: list[Node] = []

    def feed(self, node: Node, data: bytes) -> None:
        """Take what a node printed."""
        kept = self._begun.get(node)
        if kept is None:
            kept = self._begun[node] = Kept()
        self._memory.add(kept, data)

    def finish(self, node: Node, *, ran: bool = True, whole: bool = True) -> None:
        """Take note that a node prints no more.

        `ran` is whether it could have printed, `whole` whether it was not cut off.
        """
        kept = self._begun.pop(node, None)
        if kept is None:
            if ran:
                self.silent.append(node)
            return
        first, nodes = self._found.setdefault((whole, kept.size, kept.digest), (kept, []))
        nodes.append(node)
        if first is not kept:
            self._memory.drop(kept)

    @property
    def nodes(self) -> int:
        """How many nodes have printed something."""
        return len(self._begun) + sum(len(nodes) for _, nodes in self._found.values())

    def blocks(self, order: Iterable[str]) -> list[Block]:
        """Return the blocks, that of most nodes first; `order` is that of the nodes' names."""
        places = {name: place for place, name in enumerate(order)}

        def place(node: Node) -> tuple[int, str]:
            return places.get(node.name, len(places)), node.name

        ended = [
            Block(nodes=tuple(sorted(nodes, key=place)), output=kept, whole=whole)
            for (whole, _, _), (kept, nodes) in self._found.items()
        ]
        begun = [
            Block(nodes=(node,), output=kept, whole=False) for node, kept in self._begun.items()
        ]
        return sorted(ended + begun, key=lambda b: (not b.whole, -len(b.nodes), place(b.nodes[0])))
