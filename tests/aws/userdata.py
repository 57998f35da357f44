"""What a launch gave its machines to read: the user data, as the log has it."""

import base64
from typing import Any

import yaml

from .proxy import Proxy


def user_data(proxy: Proxy) -> list[str]:
    """Return the user data of all launches, in their order."""
    launches = [call.request for call in proxy.calls if call.action == "RunInstances"]
    return [base64.b64decode(request.get("UserData")).decode() for request in launches]


def planted(text: str) -> str:
    """Return the public key of a host, as user data plants it."""
    return " ".join(_keys(text)["ed25519_public"].split()[:2])


def secret(text: str) -> str:
    """Return the private half of it."""
    return _keys(text)["ed25519_private"]


def _keys(text: str) -> dict[str, str]:
    settings: dict[str, Any] = yaml.safe_load(text)
    keys: dict[str, str] = settings["ssh_keys"]
    return keys
