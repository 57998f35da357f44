"""What machines must prove: their pins, or else what their drivers and the user know of them."""

from ..driver import Group
from ..node import Node
from ..ssh.bastion import Bastion
from ..ssh.known_hosts import AUTHORITY, REVOKED
from ..store import ClusterFolder
from ..store.keys import LoginKey
from .access import Access


class Trust:
    """Knows the host keys of one cluster's machines, and pins those that were proven.

    A driver that plants host keys puts them where others may read them. So a planted
    key is good for the connection on which a node makes one of its own, and no other:
    without a pin, such a node proves itself by a certificate of the cluster's login key.
    """

    def __init__(self, groups: tuple[Group, ...], folder: ClusterFolder, access: Access) -> None:
        self._folder = folder
        self._access = access
        self._made = {group.tag for group in groups if group.driver.makes_machines}
        self._planted = {group.tag for group in groups if group.driver.plants_host_keys}
        self._pins: dict[str, str | None] = {}
        self._own: LoginKey | None = None

    def host_key(self, node: Node) -> str | None:
        """Return what the node must prove.

        Of a machine that was made, the pinned key; for a new one what its driver says.
        Of others, what the user's known hosts say; only if that is nothing, a pinned key.
        """
        pinned = self._pin(node)
        if self._is_planted(node):
            return pinned or self._authority(node)
        if self._is_made(node):
            return pinned or node.host_key
        told = self._access.host_key(node) if isinstance(node, Bastion) else node.host_key
        if pinned is None or _says_who(told):
            return told
        return "\n".join([pinned, *(told or "").splitlines()])

    def planted(self, node: Node) -> str | None:
        """Return what a node may prove that has not shown a key of its own yet; else None.

        That is the planted key, or the certificate: a launch may have died between the two.
        """
        if not self._is_planted(node) or self._pin(node) is not None:
            return None
        return "\n".join([*_plain(node), *filter(None, [self._authority(node)])])

    def certified_name(self, node: Node) -> str | None:
        """Return what the node's certificate is made out to, if not to its address."""
        return node.id if self._is_planted(node) else None

    def proven(self, node: Node, host_key: str) -> None:
        """Pin the key that a host has proven, if it is to be held to that from now on."""
        if self._pin(node) is not None:
            return
        if self._is_planted(node) and _is_planted_key(node, host_key):
            return
        if not self._is_made(node) and _says_who(self.host_key(node)):
            return
        if self._folder.exists():
            self._folder.pin(node.id, host_key)
            self._pins[node.id] = host_key

    def _pin(self, node: Node) -> str | None:
        """Return the key pinned for this machine; its file is read once."""
        if node.id not in self._pins:
            self._pins[node.id] = self._folder.pinned(node.id)
        return self._pins[node.id]

    def _authority(self, node: Node) -> str | None:
        """Return who may vouch for the node: our own login key before what the driver says."""
        self._own = self._own or self._folder.login_key()
        told = [line for line in _lines(node) if line.startswith(AUTHORITY)]
        lines = told if self._own is None else [f"{AUTHORITY} {self._own.public}"]
        return "\n".join(" ".join(line.split()[:3]) for line in lines) or None  # no comments

    def _is_made(self, node: Node) -> bool:
        return node.tag in self._made and not isinstance(node, Bastion)

    def _is_planted(self, node: Node) -> bool:
        return node.tag in self._planted and not isinstance(node, Bastion)


def _lines(node: Node) -> list[str]:
    return (node.host_key or "").splitlines()


def _plain(node: Node) -> list[str]:
    return [line for line in _lines(node) if not line.startswith("@")]


def _is_planted_key(node: Node, host_key: str) -> bool:
    return host_key.split()[:2] in [line.split()[:2] for line in _plain(node)]


def _says_who(told: str | None) -> bool:
    """Return whether this tells of a key that the host may prove itself by, not only of revoked."""
    return any(not line.startswith(REVOKED) for line in (told or "").splitlines())
