"""The SSH server that a local node runs: one machine's worth of sshd, made of asyncssh."""

from .children import Children
from .key import new_host_key, public_line
from .listener import serving
from .machine import Machine
from .rehearsal import rehearse

__all__ = ["Children", "Machine", "new_host_key", "public_line", "rehearse", "serving"]
