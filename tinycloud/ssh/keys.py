"""Keys as asyncssh wants them: ours to log in with, and hosts' to compare."""

from functools import lru_cache

import asyncssh

from ..errors import InvalidInput, Untrusted
from ..text import printable

# Keys here are our own or were handed to us: checking an RSA key's primes costs 0.26 s.
asyncssh.set_default_skip_rsa_key_validation(True)


@lru_cache(maxsize=16)
def private_key(data: bytes) -> asyncssh.SSHKey:
    """Return the private key in `data`, or raise `InvalidInput`."""
    try:
        return asyncssh.import_private_key(data)
    except asyncssh.KeyImportError as error:
        encrypted = "passphrase" in str(error).lower()
        raise InvalidInput(
            "can't use the private key",
            cause="it needs a passphrase" if encrypted else printable(str(error)),
            fix="use a key without one (ssh-keygen -p removes it)"
            if encrypted
            else "give the file of an OpenSSH or PEM private key",
        ) from error


def host_key(line: str, node_name: str) -> asyncssh.SSHKey:
    """Return the public key of a host, given as an OpenSSH line."""
    try:
        return asyncssh.import_public_key(line)
    except asyncssh.KeyImportError as error:
        raise Untrusted(
            f"the known host key of {node_name} is damaged",
            cause=printable(str(error)),
            fix="destroy the node, or restore its pinned key",
        ) from error


def openssh_line(key: asyncssh.SSHKey) -> str:
    """Return the public half of `key` as OpenSSH writes it, without a comment."""
    return " ".join(key.export_public_key().decode().split()[:2])
