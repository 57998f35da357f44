"""The cluster's own login key: made here, and it never leaves."""

from dataclasses import dataclass, field
from pathlib import Path

from .folder import read_file, write_file


@dataclass(frozen=True, slots=True)
class LoginKey:
    """An ed25519 key pair: the private half in OpenSSH's PEM, the public one as a line."""

    private: bytes = field(repr=False)
    public: str


def login_key(folder: Path) -> LoginKey | None:
    """Return the key kept in this folder, or None if there is none."""
    private, public = read_file(folder / "key"), read_file(folder / "key.pub")
    if private is None or public is None:
        return None
    return LoginKey(private, public.decode().strip())


def make_login_key(folder: Path, comment: str) -> LoginKey:
    """Return the key kept in this folder, made now if there is none."""
    if (found := login_key(folder)) is not None:
        return found
    # Imported here since a key is made once in a cluster's life, and this takes 50 ms.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    made = LoginKey(private, f"{public.decode()} {comment}")
    write_file(folder / "key", made.private)
    write_file(folder / "key.pub", made.public.encode() + b"\n")
    return made
