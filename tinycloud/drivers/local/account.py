"""The user that every local node belongs to: you."""

import functools
import os
import pwd


@functools.cache
def username() -> str:
    """Return this user's name; in a container that may be a number which nobody has named."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@functools.cache
def login_shell() -> str:
    """Return this user's login shell, or `/bin/sh` where that can't be run."""
    try:
        chosen = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        return "/bin/sh"
    return chosen if os.path.isfile(chosen) and os.access(chosen, os.X_OK) else "/bin/sh"
