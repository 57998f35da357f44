"""Vouch for a host: sign its public key as a certificate that it can show."""

import asyncssh

from ..errors import Untrusted
from ..text import printable
from .keys import openssh_line, private_key


def host_certificate(authority: bytes, host_key: str, name: str) -> str:
    """Return the certificate, a line, by which `host_key` is that of the host `name`.

    `authority` is the private key that signs. A certificate lasts as long as the key.
    Raises `Untrusted` if `host_key` is no OpenSSH public key line.
    """
    try:
        key = asyncssh.import_public_key(host_key)
    except asyncssh.KeyImportError as error:
        raise Untrusted(
            f"{name} has shown no host key of its own",
            cause=printable(str(error)),
            fix="destroy the node and launch it again",
        ) from error
    signed = private_key(authority).generate_host_certificate(
        asyncssh.import_public_key(openssh_line(key)), name, principals=[name], comment=None
    )
    return " ".join(signed.export_certificate().decode().split()[:2])
