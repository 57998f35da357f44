"""What another program must know to get to the nodes as we do."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from ..driver import Group
from ..errors import InvalidInput
from ..host import Host, parsed_host
from ..node import Node
from ..ssh.bastion import bastion
from ..store import ClusterFolder
from ..store.keys import KEY
from .access import Access
from .keyfile import read_key_file
from .trust import Trust

LOCAL = "local"
"""The driver whose nodes are this very machine, and so have our Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A machine that other programs may log in to, under a name of its own.

    `host_keys` are lines like those of `Node.host_key`. `key` is the file of the private
    key that opens it; None leaves that to the user's own keys. `via` is the bastion on
    the way, and `python` an interpreter that is there.
    """

    name: str
    node: Node
    host_keys: str
    key: Path | None = None
    via: "Peer | None" = None
    python: Path | None = None
    certified_name: str | None = None


class Exports:
    """Knows what there is to say of the machines of one cluster.

    `keyfile` is the private key to use instead of the cluster's own.
    """

    def __init__(
        self, groups: tuple[Group, ...], folder: ClusterFolder, keyfile: Path | None
    ) -> None:
        record = folder.record()
        self._groups = {group.tag: group for group in groups}
        self._folder = folder
        self._keyfile = keyfile
        self._users = Path(record.keyfile) if record and record.keyfile else None
        self._trust = Trust(groups, folder, Access(groups, folder, keyfile))
        if keyfile is not None:
            read_key_file(keyfile)

    def peers(self, nodes: Iterable[Node]) -> tuple[Peer, ...]:
        """Return what there is to say of these nodes.

        Raises `InvalidInput` if there is no key for them.
        """
        return tuple(self._peer(node, self._groups[node.tag]) for node in nodes)

    def _peer(self, node: Node, group: Group) -> Peer:
        made = group.driver.makes_machines
        return Peer(
            name=f"{self._folder.name}-{node.name}",
            node=node,
            host_keys=self._trust.host_key(node) or "",
            key=self._keyfile or (self._own_key() if made else self._users),
            via=self._bastion(group.via, None if made else self._keyfile) if group.via else None,
            python=Path(sys.executable) if group.driver.name == LOCAL else None,
            certified_name=self._trust.certified_name(node),
        )

    def _own_key(self) -> Path:
        if self._folder.login_key() is None:
            raise InvalidInput(
                f"the login key of cluster '{self._folder.name}' is not on this machine",
                fix="pass the file of a key that its nodes accept (-i)",
            )
        return self._folder.path / KEY

    def _bastion(self, via: str, keyfile: Path | None) -> Peer:
        node = bastion(parsed_host(via), username=getuser())
        place = Host(address=node.address or "", username=node.username, port=node.port)
        # Nodes have a number at the end, so none of them can be called like this.
        name = re.sub("[^A-Za-z0-9.]+", "-", f"{self._folder.name}-{place}-bastion")
        return Peer(
            name=name,
            node=node,
            host_keys=self._trust.host_key(node) or "",
            key=keyfile or self._users,
        )
