"""Names of clusters and groups, and what a driver is told about one group."""

import math
import re
from dataclasses import dataclass

from .errors import InvalidInput

NAME_LENGTH = 63
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_LENGTH - 1}}}")


def checked_name(name: str, what: str = "cluster name") -> str:
    """Return `name` if it can name a cluster or a group, or raise `InvalidInput`.

    A name has 1 to 63 ASCII letters, digits, `.`, `_` and `-`, begins with a
    letter or digit and does not hold `..`: it is a folder, a tag and a host name.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise InvalidInput(
            f"not a {what}: {name[:80]!r}",
            cause=_complaint(name),
            fix="use letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    return name


def _complaint(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > NAME_LENGTH:
        return f"{len(name)} characters, {NAME_LENGTH} at most"
    if ".." in name:
        return "it holds '..'"
    if not re.match(r"[A-Za-z0-9]", name):
        return f"it begins with {name[0]!r}"
    odd = next(c for c in name if not re.match(r"[A-Za-z0-9._-]", c))
    return f"it holds {odd!r}"


def check_group(tag: str, count: int, ttl: float | None) -> None:
    """Raise `InvalidInput` if there can't be such a group."""
    checked_name(tag, "tag")
    if count < 0:
        raise InvalidInput(f"group '{tag}' can't have {count} nodes", fix="ask for 0 or more")
    if ttl is not None and not (math.isfinite(ttl) and ttl > 0):
        raise InvalidInput(
            f"nodes of group '{tag}' can't live for {ttl} seconds",
            fix="give a positive number of seconds, or None for no limit",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """What a driver is told about one group.

    `authorized_keys` are OpenSSH public key lines that a new node must accept,
    `ttl` is the node's time to live in seconds (None: for ever), and `setup` a
    shell script for nodes whose provider can run one at boot; tinycloud runs it
    over SSH on each new node in any case, once. `generation` is the cluster's own id,
    random and recorded before any call: it tells the cluster from another of its name.
    It is empty where nothing is recorded; then the names alone find the nodes.
    """

    cluster: str
    tag: str
    count: int
    authorized_keys: tuple[str, ...] = ()
    ttl: float | None = None
    setup: str | None = None
    generation: str = ""

    def __post_init__(self) -> None:
        checked_name(self.cluster)
        check_group(self.tag, self.count, self.ttl)
