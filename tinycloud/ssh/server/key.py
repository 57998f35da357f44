"""Host keys: ed25519, made here, in OpenSSH's formats."""

import asyncssh


def new_host_key() -> tuple[bytes, str]:
    """Return a new private key as OpenSSH's PEM, and its public key line."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_private_key("openssh"), key.export_public_key("openssh").decode().strip()


def public_line(private: bytes) -> str | None:
    """Return the public key line of a private key, or None if it is damaged."""
    try:
        key = asyncssh.import_private_key(private)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        return None
    return key.export_public_key("openssh").decode().strip()
