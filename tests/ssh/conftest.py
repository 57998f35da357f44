"""OpenSSH's sshd, for all tests of the client."""

from collections.abc import Iterator

import pytest
from openssh import OpenSSH, sshd

__all__ = ["sshd"]


@pytest.fixture
def server(sshd: OpenSSH) -> Iterator[OpenSSH]:
    """The shared sshd, in whose sessions nothing runs before and after a test."""
    sshd.clear()
    yield sshd
    sshd.clear()
