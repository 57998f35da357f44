"""Hand a cluster to other programs: collect what they must know, and show it in their words."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..cloud import Cloud
from ..cloud.keyfile import read_key_file
from ..driver import Group
from ..errors import InvalidInput, NoSuchCluster, Unreachable
from ..node import Node, Status
from ..nodeset import folded
from ..store import ClusterFolder
from ..store.folder import make_folder, write_file
from ..store.keys import KEY
from . import exports, interrupt, json_text
from .clusters import check_known
from .exports import Entry
from .say import answer, note

LOCAL = "local"
"""The driver whose nodes are this very machine, and so have our Python."""

KNOWN_HOSTS = "known_hosts"
"""The file in the cluster's folder by which other programs tell its hosts."""


def ssh_config(cloud: Cloud, keyfile: Path | None) -> None:
    """Print the configuration with which OpenSSH logs in to the nodes."""
    answer(exports.ssh_config(_running(cloud, keyfile)).rstrip("\n"))


def inventory(cloud: Cloud, keyfile: Path | None, *, as_json: bool) -> None:
    """Print the inventory with which Ansible works on the nodes."""
    content = exports.inventory(cloud.name, _running(cloud, keyfile))
    answer(json_text.dump(content) if as_json else exports.yaml(content).rstrip("\n"))


def _running(cloud: Cloud, keyfile: Path | None) -> Sequence[Entry]:
    """Return what there is to say of each node that can be reached.

    What all nodes must prove is kept where other programs look for it.
    """
    folder = ClusterFolder(cloud.name)
    key = None if keyfile is None else _checked(keyfile)
    nodes = interrupt.run(cloud.list())
    check_known(cloud.name, nodes)
    groups = {group.tag: group for group in cloud.groups}
    entries = [_entry(folder, groups[node.tag], node, key) for node in nodes]
    _keep(folder, exports.known_hosts(entries))
    found = [entry for entry in entries if _can_be_reached(entry.node)]
    _say_missing(cloud.name, entries, found)
    return found


def _entry(folder: ClusterFolder, group: Group, node: Node, key: Path | None) -> Entry:
    pinned = folder.pinned(node.id) if folder.exists() else None
    own = group.driver.makes_machines
    return Entry(
        cluster=folder.name,
        node=node,
        host_keys=((pinned or node.host_key) if own else (node.host_key or pinned)) or "",
        known_hosts=folder.path / KNOWN_HOSTS,
        key=key or (_own_key(folder) if own else None),
        via=group.via,
        python=Path(sys.executable) if group.driver.name == LOCAL else None,
    )


def _checked(keyfile: Path) -> Path:
    read_key_file(keyfile)
    return keyfile.absolute()


def _own_key(folder: ClusterFolder) -> Path:
    if folder.login_key() is None:
        raise InvalidInput(
            f"the login key of cluster '{folder.name}' is not on this machine",
            fix="pass the file of a key that its nodes accept (-i)",
        )
    return folder.path / KEY


def _can_be_reached(node: Node) -> bool:
    return node.status in (Status.RUNNING, Status.PENDING) and bool(node.address)


def _say_missing(cluster: str, entries: Sequence[Entry], found: Sequence[Entry]) -> None:
    """Say of which nodes nothing is shown; raise `Unreachable` if it is of none.

    To the other program those are names like any other, of who knows which machine.
    """
    out = [entry.node.name for entry in entries if entry not in found]
    if not found:
        raise Unreachable(
            f"no node of '{cluster}' is running",
            cause=f"not running: {folded(out)}" if out else "it has no nodes",
            fix=f"tinycloud start {cluster}",
        )
    if out:
        note(f"left out, since not running: {folded(out)}")
    unproven = [entry.node.name for entry in found if not entry.host_keys]
    if unproven:
        note(f"no host key is known of {folded(unproven)}: other programs will not connect there")


def _keep(folder: ClusterFolder, known_hosts: str) -> None:
    """Write the known hosts into the cluster's folder, with which they vanish."""
    was_there = folder.record() is not None
    make_folder(folder.path)
    path = folder.path / KNOWN_HOSTS
    write_file(path, known_hosts.encode())
    if was_there and folder.record() is None:  # destroyed while we looked at it
        path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.path.rmdir()
        raise NoSuchCluster(f"cluster '{folder.name}' is no more", fix="launch it again")
