"""What a new machine is told by cloud-init, before it answers anybody.

Others on the machine can read that for as long as it lives. So the host key in it is
good for the first login only, and nothing else in it is secret.
"""

import json
from collections.abc import Collection
from datetime import datetime

from ...errors import InvalidInput
from ...store.keys import LoginKey
from .lifetime import UNIT, arming

LARGEST = 16_384
"""Bytes that EC2 takes, before they are encoded."""


def user_data(
    host_key: LoginKey, authorized_keys: Collection[str], deadline: datetime | None
) -> str:
    """Return the cloud-config of new machines; the first thing it does is to set their end."""
    content: dict[str, object] = {}
    if deadline is not None:
        # Once for the machine: what was set since is not to be undone by a reboot.
        content["bootcmd"] = [["cloud-init-per", "instance", UNIT, "sh", "-c", arming(deadline)]]
    content |= {
        "ssh_deletekeys": True,
        "ssh_keys": {
            "ed25519_private": host_key.private.decode(),
            "ed25519_public": host_key.public,
        },
        "ssh_authorized_keys": list(authorized_keys),
    }
    # JSON is YAML, and needs no library.
    text = f"#cloud-config\n{json.dumps(content, indent=1)}\n"
    if len(text.encode()) > LARGEST:
        raise InvalidInput(
            "too much to tell new machines",
            cause=f"{len(text.encode())} bytes of user data, of which EC2 takes {LARGEST}",
            fix="authorize fewer keys, or have a setup script bring them",
        )
    return text
