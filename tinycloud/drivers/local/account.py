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
    """Return this user's login shell, or `/bin/sh` where there is none to work with."""
    try:
        chosen = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        return "/bin/sh"
    usable = os.path.isfile(chosen) and os.access(chosen, os.X_OK)
    # Accounts of services have these; but who launches a node is at work already.
    return chosen if usable and os.path.basename(chosen) not in ("nologin", "false") else "/bin/sh"
