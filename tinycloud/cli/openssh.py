"""A cluster in OpenSSH's words: its configuration, and its known hosts.

All of it is text made of plain data. What gets into it is checked or encoded: a line
break in the wrong place would be a command to run.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from ..cloud.exports import Peer
from ..errors import InvalidInput, ProviderError
from ..host import Host, parsed_host
from ..text import printable

Settings = dict[str, str]
"""What OpenSSH is told of a host, by the name of the setting."""

_AUTHORITY = "@cert-authority "
_PUBLIC_KEY = re.compile(r"(@[a-z-]+ )?([A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+)")
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


def known_hosts(peers: Iterable[Peer]) -> str:
    """Return the file that holds the host keys of these machines, and no other."""
    lines = {
        f"{key[1] or ''}{alias(peer)} {key[2]}\n": None
        for peer in with_bastions(peers)
        for key in filter(None, map(_PUBLIC_KEY.match, peer.host_keys.splitlines()))
    }
    return "".join(lines)


def with_bastions(peers: Iterable[Peer]) -> tuple[Peer, ...]:
    """Return these machines, and each bastion on the way to them once."""
    found = {peer.name: peer for peer in peers}
    found |= {peer.via.name: peer.via for peer in found.values() if peer.via}
    return tuple(found.values())


def alias(peer: Peer) -> str:
    """Return the word that host keys are filed under: the machine's id, not where it is.

    But a certificate is made out to where it is, unless we know better.
    """
    certified = _AUTHORITY in peer.host_keys and (peer.certified_name or peer.node.address)
    return _encoded(certified.lower() if certified else peer.node.id)


def _encoded(text: str) -> str:
    """Return a text as one word of a known hosts file, which has wildcards and ignores case."""
    return re.sub("[^a-z0-9.:_-]", _hexadecimal, text)


def _hexadecimal(found: re.Match[str]) -> str:
    return "".join(f"+{byte:02x}" for byte in found[0].encode())


def ssh_config(peers: Iterable[Peer], known_hosts: Path) -> str:
    """Return the configuration with which OpenSSH finds these machines, and trusts no other."""
    blocks = [_block(peer, known_hosts) for peer in with_bastions(peers)]
    return "\n".join(blocks)


def _block(peer: Peer, known_hosts: Path) -> str:
    host = place(peer)
    found = {
        "HostName": host.address.replace("%", "%%"),
        "Port": str(peer.node.port),
        "User": host.username,
        **settings(peer, known_hosts),
        **({"ProxyJump": peer.via.name} if peer.via else {}),
    }
    lines = [f"    {name} {text}\n" for name, text in found.items()]
    return f"Host {peer.name}\n{''.join(lines)}"


def settings(peer: Peer, known_hosts: Path) -> Settings:
    """Return the settings that have OpenSSH log in, as strict as we are."""
    key = {"IdentityFile": f'"{checked_path(peer.key)}"', **_ONE_KEY} if peer.key else {}
    return {
        "HostKeyAlias": alias(peer),
        "UserKnownHostsFile": f'"{checked_path(known_hosts)}"',
        **_STRICT,
        **key,
    }


def place(peer: Peer) -> Host:
    """Return where a machine is, or raise `ProviderError` if what its driver says can't be."""
    host = Host(address=peer.node.address or "", username=peer.node.username)
    try:
        if parsed_host(str(host)) == host:
            return host
    except InvalidInput:
        pass
    raise ProviderError(
        f"{peer.node.name} has no address that other programs could use",
        cause=f"its driver says {str(host)!r}",
        fix="use tinycloud's own commands",
    )


def checked_path(path: Path) -> str:
    """Return a path as OpenSSH reads it between quotes, or raise `InvalidInput` if it can't."""
    text = str(path)
    if printable(text) != text or any(odd in text for odd in _UNQUOTABLE):
        raise InvalidInput(
            f"other programs can't be told of {text!r}",
            cause="there are characters in it that they would take for more than a name",
            fix="keep it in a folder with a plain name: TINYCLOUD_STATE_DIR says where",
        )
    return text.replace("%", "%%")
