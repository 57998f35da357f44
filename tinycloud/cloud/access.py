"""Which way leads to a node, and which private key opens it."""

import base64
import binascii
import getpass
from pathlib import Path

from ..driver import Group
from ..errors import InvalidInput
from ..host import parsed_host
from ..node import Node
from ..ssh.bastion import Bastion, Hop, Route, bastion
from ..ssh.known_hosts import read_known_hosts
from ..store import ClusterFolder
from .keyfile import read_key_file

USUAL = ("id_ed25519", "id_ecdsa", "id_rsa")
"""Keys in the user's `~/.ssh`, of which the first that exists is theirs."""

_UNLOCKED = b"openssh-key-v1\0\0\0\0\x04none"
_LOCKED = (b"Proc-Type: 4,ENCRYPTED", b"BEGIN ENCRYPTED PRIVATE KEY")


class Access:
    """Knows the ways and the keys to one cluster's nodes.

    The cluster's own login key is for machines that were made to accept it. To others,
    and to bastions, the user's key logs in: `keyfile`, the one that the cluster was
    launched with, or the first of `USUAL`.
    """

    def __init__(
        self, groups: tuple[Group, ...], folder: ClusterFolder, keyfile: Path | None
    ) -> None:
        self.keyfile = keyfile
        self._groups = {group.tag: group for group in groups}
        self._folder = folder
        self._own: bytes | None = None

    @property
    def makes_machines(self) -> bool:
        """Whether there are machines to make, which need a login key to accept."""
        return any(group.driver.makes_machines for group in self._groups.values())

    def own_key(self) -> bytes:
        """Return the key to use where the caller names none.

        Raises `InvalidInput` if there is none, or if the user's is needed and unusable.
        """
        groups = self._groups.values()
        if any(group.via or not group.driver.makes_machines for group in groups):
            user = self._user_key()
            if not self.makes_machines:
                return user
        key = self._folder.login_key()
        if key is None:
            raise InvalidInput(
                f"the login key of cluster '{self._folder.name}' is not on this machine",
                fix="pass the file of a key that its nodes accept (-i)",
            )
        self._own = key.private
        return key.private

    def route(self, node: Node, key: bytes) -> Route:
        """Return the way to a node, and the key for it where `key` was meant for all."""
        group = self._groups.get(node.tag)
        if group is None or isinstance(node, Bastion):
            return Route(key)
        if not group.driver.makes_machines and key == self._own:
            key = self._user_key()
        if group.via is None:
            return Route(key)
        # Where the key is the user's already, it may be one that was named this once.
        opens = self._user_key() if group.driver.makes_machines else key
        there = bastion(parsed_host(group.via), username=getpass.getuser())
        return Route(key, Hop(there, opens))

    def host_key(self, node: Bastion) -> str | None:
        """Return what the user's known hosts tell of a bastion."""
        for group in self._groups.values():
            if group.via and bastion(parsed_host(group.via), username="").id == node.id:
                path = group.driver.options.get("known_hosts")
                known = read_known_hosts(None if path is None else Path(str(path)))
                return known.host_key(node.address or "", node.port)
        return None

    def _user_key(self) -> bytes:
        path = self.keyfile or self._recorded() or _usual()
        if path is None:
            raise InvalidInput(
                "there is no key to log in with",
                cause=f"no {', '.join(USUAL)} in {Path.home() / '.ssh'}",
                fix="pass the file of a private key (-i)",
            )
        data = read_key_file(path)
        if _is_locked(data):
            raise InvalidInput(
                f"can't use key file {path}",
                cause="it needs a passphrase, and agents are not asked",
                fix="pass a key without one (-i); ssh-keygen -p removes it",
            )
        return data

    def _recorded(self) -> Path | None:
        record = self._folder.record()
        return Path(record.keyfile) if record and record.keyfile else None


def _usual() -> Path | None:
    paths = (Path.home() / ".ssh" / name for name in USUAL)
    return next((path for path in paths if path.exists()), None)


def _is_locked(data: bytes) -> bool:
    """Return whether a private key needs a passphrase, in OpenSSH's format or in PEM's."""
    if b"BEGIN OPENSSH PRIVATE KEY" not in data:
        return any(mark in data for mark in _LOCKED)
    body = b"".join(line for line in data.split(b"\n") if not line.startswith(b"--"))
    try:
        return not base64.b64decode(body[:64]).startswith(_UNLOCKED)
    except binascii.Error:  # it is damaged, which others find out
        return False
