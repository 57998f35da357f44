"""A cluster in Ansible's words: its inventory, in YAML."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..cloud.exports import Peer
from .openssh import Settings, checked_path, place, settings

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_GROUPS = {"all", "ungrouped"}
"""Groups that Ansible makes by itself."""


def inventory(cluster: str, peers: Iterable[Peer], known_hosts: Path) -> dict[str, object]:
    """Return what Ansible is told: a group of hosts for each tag, in one for the cluster."""
    tags: dict[str, list[Peer]] = {}
    for peer in peers:
        tags.setdefault(peer.node.tag, []).append(peer)
    *names, whole = _group_names((*tags, cluster))
    groups = {
        name: {"hosts": {peer.name: _variables(peer, known_hosts) for peer in found}}
        for name, found in zip(names, tags.values(), strict=True)
    }
    strict = {"ansible_connection": "ssh", "ansible_host_key_checking": True}
    return {"all": {"children": {whole: {"vars": strict, "children": groups}}}}


def _group_names(words: Iterable[str]) -> list[str]:
    """Return a name for each word that Ansible takes for a group: an identifier, not two alike."""
    names: list[str] = []
    for word in words:
        name = re.sub("[^A-Za-z0-9_]|^(?=[0-9])", "_", word)
        while name in names or name in _GROUPS:
            name += "_"
        names.append(name)
    return names


def _variables(peer: Peer, known_hosts: Path) -> dict[str, object]:
    host = place(peer)
    found = settings(peer, known_hosts)
    found.pop("IdentityFile", None)
    if peer.via:
        found["ProxyCommand"] = _proxy_command(peer.via, known_hosts)
    return {
        "ansible_host": host.address,
        "ansible_port": peer.node.port,
        "ansible_user": host.username,
        "ansible_ssh_common_args": shlex.join(_words(found)),
        **({"ansible_ssh_private_key_file": checked_path(peer.key)} if peer.key else {}),
        **({"ansible_python_interpreter": str(peer.python)} if peer.python else {}),
    }


def _words(found: Settings) -> list[str]:
    return [f"-o{name}={text}" for name, text in found.items()]


def _proxy_command(bastion: Peer, known_hosts: Path) -> str:
    """Return the command that leads over a bastion, for a program that can't be told of two hosts.

    OpenSSH replaces `%h` and `%p` in it, and `%%` by one `%`.
    """
    host = place(bastion)
    options = [*_words(settings(bastion, known_hosts)), f"-l{host.username}"]
    words = ["ssh", *options, f"-p{bastion.node.port}", host.address]
    return f"{shlex.join(words).replace('%', '%%')} -W [%h]:%p"


def yaml(content: Mapping[str, object], depth: int = 0) -> str:
    """Return mappings of mappings, texts and numbers as YAML that reads well."""
    lines = []
    for key, value in content.items():
        head = f"{'  ' * depth}{_yaml_key(key)}:"
        if isinstance(value, Mapping) and value:
            lines.append(f"{head}\n{yaml(value, depth + 1)}")
        else:
            lines.append(f"{head} {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def _yaml_key(key: str) -> str:
    is_plain = _PLAIN.fullmatch(key) and key.lower() not in _YAML_WORDS
    return key if is_plain else json.dumps(key)
