"""How a transfer with one node can fail."""

import os


class Refused(Exception):
    """Something was not done: says what, and why."""


class Lost(Exception):
    """The connection to the node died."""


def errno_words(number: int) -> str:
    """Return what the system calls an error, in small letters as all our causes."""
    text = os.strerror(number)
    return text[:1].lower() + text[1:]
