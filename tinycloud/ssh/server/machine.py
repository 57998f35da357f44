"""What the server pretends to be: one machine with one user."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine: its user, its home folder, its host key, and who may log in.

    `host_key` is the private key in OpenSSH's PEM; `authorized_keys` is a file of
    public key lines, read again at each login; `environment` is all that a session
    gets, beside what the session itself adds.
    """

    username: str
    home: Path
    login_shell: str
    host_key: bytes = field(repr=False)
    authorized_keys: Path
    environment: Mapping[str, str]
