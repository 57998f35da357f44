"""OpenSSH's sshd, for all tests of the client."""

from openssh import sshd

__all__ = ["sshd"]
