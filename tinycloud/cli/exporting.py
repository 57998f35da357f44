"""Hand a cluster to other programs: collect what they must know, and show it in their words."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..cloud import Cloud
from ..cloud.exports import Exports, Peer
from ..errors import NoSuchCluster, Unreachable
from ..node import Node, Status
from ..nodeset import folded
from ..store import ClusterFolder
from ..store.folder import make_folder, write_file
from . import ansible, interrupt, json_text, openssh
from .clusters import check_known
from .say import answer, note

KNOWN_HOSTS = "known_hosts"
"""The file in the cluster's folder by which other programs tell its hosts."""


def ssh_config(cloud: Cloud, keyfile: Path | None) -> None:
    """Print the configuration with which OpenSSH logs in to the nodes."""
    peers, known_hosts = _told(cloud, keyfile)
    answer(openssh.ssh_config(peers, known_hosts).rstrip("\n"))


def inventory(cloud: Cloud, keyfile: Path | None, *, as_json: bool) -> None:
    """Print the inventory with which Ansible works on the nodes."""
    content = ansible.inventory(cloud.name, *_told(cloud, keyfile))
    answer(json_text.dump(content) if as_json else ansible.yaml(content).rstrip("\n"))


def _told(cloud: Cloud, keyfile: Path | None) -> tuple[Sequence[Peer], Path]:
    """Return what there is to say of each node that can be reached, and the known hosts.

    That file is about all nodes: one that is stopped may be started again.
    """
    folder = ClusterFolder(cloud.name)
    collected = Exports(cloud.groups, folder, keyfile and keyfile.absolute())
    nodes = interrupt.run(cloud.list())
    check_known(cloud.name, nodes)
    peers = collected.peers(nodes)
    found = [peer for peer in peers if _can_be_reached(peer.node)]
    _say_missing(cloud.name, peers, found)
    return found, _kept(folder, openssh.known_hosts(peers))


def _can_be_reached(node: Node) -> bool:
    return node.status in (Status.RUNNING, Status.PENDING) and bool(node.address)


def _say_missing(cluster: str, peers: Sequence[Peer], found: Sequence[Peer]) -> None:
    """Say of which nodes nothing is shown; raise `Unreachable` if it is of none.

    A name that another program is not told of may be that of some other machine.
    """
    out = [peer.node.name for peer in peers if peer not in found]
    if not found:
        raise Unreachable(
            f"no node of '{cluster}' is running",
            cause=f"not running: {folded(out)}" if out else "it has no nodes",
            fix=f"tinycloud start {cluster}",
        )
    if out:
        note(f"left out, since not running: {folded(out)}")
    unknown = [peer.node.name for peer in openssh.with_bastions(found) if not peer.host_keys]
    if unknown:
        note(f"no host key is known of {folded(unknown)}: other programs will not connect there")


def _kept(folder: ClusterFolder, known_hosts: str) -> Path:
    """Write the known hosts into the cluster's folder, with which they vanish; return the file."""
    was_there = folder.record() is not None
    make_folder(folder.path)
    path = folder.path / KNOWN_HOSTS
    write_file(path, known_hosts.encode())
    if was_there and folder.record() is None:  # destroyed while we looked at it
        path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.path.rmdir()
        raise NoSuchCluster(f"cluster '{folder.name}' is no more", fix="launch it again")
    return path
