"""The cluster's own login key: made here, and it never leaves."""

from dataclasses import dataclass, field
from pathlib import Path

from .folder import read_file, unusable, write_file
from .openssh import public_half

KEY = "key"
_FIX = "restore it, or destroy the cluster and launch it again: its nodes accept no other key"


@dataclass(frozen=True, slots=True)
class LoginKey:
    """An ed25519 key pair: the private half in OpenSSH's PEM, the public one as a line."""

    private: bytes = field(repr=False)
    public: str


def login_key(folder: Path, comment: str) -> LoginKey | None:
    """Return the key kept in this folder, or None if there is none.

    Raises `InvalidInput` if it is damaged, or if others may read it.
    """
    private = read_file(folder / KEY, secret=True, fix=_FIX)
    if private is None:
        return None
    try:
        return LoginKey(private, f"{public_half(private)} {comment}")
    except ValueError as error:
        raise unusable(folder / KEY, f"the login key is damaged: {error}", _FIX) from error


def make_login_key(folder: Path, comment: str) -> LoginKey:
    """Return the key kept in this folder, made now if there is none."""
    if (found := login_key(folder, comment)) is not None:
        return found
    made = new_key(comment)
    write_file(folder / KEY, made.private)
    return made


def new_key(comment: str) -> LoginKey:
    """Return a new key, which is kept nowhere."""
    # Imported here since few commands make one, and this takes 50 ms.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return LoginKey(private, f"{public_half(private)} {comment}".strip())
