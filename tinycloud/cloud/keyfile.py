"""The user's own key file."""

import os
import stat
from pathlib import Path

from ..errors import InvalidInput

KEY_LIMIT = 1 << 16
"""Bytes that a key file may have."""


def read_key_file(path: Path) -> bytes:
    """Return the private key in a file that only its owner can read, or raise `InvalidInput`."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(KEY_LIMIT + 1)
    except OSError as error:
        raise InvalidInput(
            f"can't read key file {path}",
            cause=error.strerror or str(error),
            fix="give the path of a private key that you may read",
        ) from error
    if found.st_mode & 0o077 and stat.S_ISREG(found.st_mode):
        raise InvalidInput(
            f"key file {path} is open to others",
            cause=f"its mode is {stat.S_IMODE(found.st_mode):04o}",
            fix=f"chmod 600 {path}",
        )
    if b"PRIVATE KEY" not in data or len(data) > KEY_LIMIT:
        raise InvalidInput(
            f"{path} is not a private key",
            cause="it is a public key" if data.startswith(b"ssh-") else "no PEM block in it",
            fix="give the file that ssh -i would take",
        )
    return data
