"""The nodes that a verb is for, and what it needs to get to them."""

from dataclasses import dataclass, field

from ..node import Node
from .session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is open, the `nodes` chosen of those `known`, and the private key for them."""

    session: Session
    known: tuple[Node, ...]
    nodes: tuple[Node, ...]
    key: bytes = field(repr=False)
