"""A cluster in the words of others: OpenSSH's configuration and known hosts, Ansible's inventory.

All of it is text made of plain data. What ends up in it was checked or encoded, since a
line break in the wrong place would be a command to run.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput, ProviderError
from ..host import Host, parsed_host
from ..node import Node
from ..text import printable

_AUTHORITY = "@cert-authority "
_PUBLIC_KEY = re.compile(r"(@[a-z-]+ )?([A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_ANSIBLE_GROUPS = {"all", "ungrouped"}
_UNQUOTABLE = ('"', "\\", "${", "{{", "{%", "{#")
"""What OpenSSH or Ansible would take for more than a part of a path."""

# Whoever answers must own a key that we know: nothing else that is configured on this
# machine can make up for that.
_STRICT = {
    "GlobalKnownHostsFile": "/dev/null",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "VerifyHostKeyDNS": "no",
    "CheckHostIP": "no",
    "NoHostAuthenticationForLocalhost": "no",
    "PreferredAuthentications": "publickey",
}
_ONE_KEY = {"IdentitiesOnly": "yes", "IdentityAgent": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A node as other programs are told of it.

    `host_keys` are lines like those of `Node.host_key`, and `known_hosts` is the file
    for them. `key` logs in; None leaves that to whatever keys the other program has.
    `via` is the bastion on the way, if there is one, and `python` an interpreter that is
    surely there.
    """

    cluster: str
    node: Node
    host_keys: str
    known_hosts: Path
    key: Path | None = None
    via: str | None = None
    python: Path | None = None

    @property
    def name(self) -> str:
        """What the node is called outside of its cluster: `voltron-worker-3`."""
        return f"{self.cluster}-{self.node.name}"

    @property
    def alias(self) -> str:
        """What its host keys are filed under: the machine's id, not where it is.

        But a certificate is made out to where it is.
        """
        certified = _AUTHORITY in self.host_keys and self.node.address
        return encoded(certified.lower() if certified else self.node.id)


def encoded(word: str) -> str:
    """Return a text as one word of a known hosts file, which has wildcards and ignores case."""
    return re.sub("[^a-z0-9.:_-]", _hexadecimal, word)


def _hexadecimal(found: re.Match[str]) -> str:
    return "".join(f"+{byte:02x}" for byte in found[0].encode())


def known_hosts(entries: Iterable[Entry]) -> str:
    """Return the file that holds the host keys of these nodes, and no other."""
    return "".join(
        f"{key[1] or ''}{entry.alias} {key[2]}\n"
        for entry in entries
        for key in filter(None, map(_PUBLIC_KEY.match, entry.host_keys.splitlines()))
    )


def ssh_config(entries: Iterable[Entry]) -> str:
    """Return the configuration with which OpenSSH finds these nodes, and trusts nobody else."""
    return "\n".join(_block(entry) for entry in entries)


def _block(entry: Entry) -> str:
    host = _checked(entry.node)
    settings = {
        "HostName": host.address.replace("%", "%%"),
        "Port": str(entry.node.port),
        "User": host.username,
        **({"IdentityFile": f'"{_path(entry.key)}"'} if entry.key else {}),
        **_options(entry),
    }
    return f"Host {entry.name}\n" + "".join(f"    {key} {text}\n" for key, text in settings.items())


def _options(entry: Entry) -> dict[str, str]:
    """Return the settings that make OpenSSH as strict as we are."""
    return {
        "HostKeyAlias": entry.alias,
        "UserKnownHostsFile": f'"{_path(entry.known_hosts)}"',
        **_STRICT,
        **(_ONE_KEY if entry.key else {}),
        **({"ProxyJump": str(parsed_host(entry.via))} if entry.via else {}),
    }


def _checked(node: Node) -> Host:
    """Return where the node is, or raise `ProviderError` if what its driver says can't be."""
    host = Host(address=node.address or "", username=node.username)
    try:
        if parsed_host(str(host)) == host:
            return host
    except InvalidInput:
        pass
    raise ProviderError(
        f"{node.name} has no address that other programs could use",
        cause=f"its driver says {str(host)!r}",
        fix="use tinycloud's own commands",
    )


def _path(path: Path) -> str:
    """Return a path as OpenSSH reads it between quotes, or raise `InvalidInput` if it can't."""
    text = str(path)
    if printable(text) != text or any(odd in text for odd in _UNQUOTABLE):
        raise InvalidInput(
            f"other programs can't be told of {text!r}",
            cause="there are characters in it that they would take for more than a name",
            fix="keep it in a folder with a plain name: TINYCLOUD_STATE_DIR says where",
        )
    return text.replace("%", "%%")


def inventory(cluster: str, entries: Iterable[Entry]) -> dict[str, object]:
    """Return what Ansible is told: a group of hosts for each tag, in one for the cluster."""
    tags: dict[str, list[Entry]] = {}
    for entry in entries:
        tags.setdefault(entry.node.tag, []).append(entry)
    *names, whole = _group_names((*tags, cluster))
    groups = {name: _group(found) for name, found in zip(names, tags.values(), strict=True)}
    return {"all": {"children": {whole: {"children": groups}}}}


def _group(entries: Sequence[Entry]) -> dict[str, object]:
    first = entries[0]
    key, python = first.key, first.python
    return {
        "vars": {
            "ansible_connection": "ssh",
            "ansible_host_key_checking": True,
            **({"ansible_ssh_private_key_file": _path(key)} if key else {}),
            **({"ansible_python_interpreter": _path(python)} if python else {}),
        },
        "hosts": {entry.name: _variables(entry) for entry in entries},
    }


def _group_names(words: Iterable[str]) -> list[str]:
    """Return a name for each word that Ansible takes for a group: an identifier, not two alike."""
    names: list[str] = []
    for word in words:
        name = re.sub("[^A-Za-z0-9_]|^(?=[0-9])", "_", word)
        while name in names or name in _ANSIBLE_GROUPS:
            name += "_"
        names.append(name)
    return names


def _variables(entry: Entry) -> dict[str, object]:
    host = _checked(entry.node)
    options = [f"-o{key}={text}" for key, text in _options(entry).items()]
    return {
        "ansible_host": host.address,
        "ansible_port": entry.node.port,
        "ansible_user": host.username,
        "ansible_ssh_common_args": shlex.join(options),
    }


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
