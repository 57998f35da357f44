"""One machine of a cluster, as its driver sees it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """What a machine is doing; providers' other words are mapped onto these."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine: which it is in its group, and how to reach it.

    `index` counts from 0 and stays with the machine for its whole life, as does
    `id`, the provider's own name for it. `address` is None while there is none.
    `host_key` is an OpenSSH public key line, or None where the driver can't know it.
    `expires_at` is when it ends its own life, None if it never does.
    """

    tag: str
    index: int
    id: str
    status: Status
    address: str | None = None
    port: int = 22
    username: str = "root"
    private_address: str | None = None
    launched_at: datetime | None = None
    host_key: str | None = None
    expires_at: datetime | None = None

    @property
    def name(self) -> str:
        """The name people use: `worker-3`."""
        return node_name(self.tag, self.index)


def node_name(tag: str, index: int) -> str:
    """Return the name of the node with this index in the group `tag`."""
    return f"{tag}-{index}"
