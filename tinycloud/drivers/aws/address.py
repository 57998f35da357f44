"""The address of this machine, as those see it whom it connects to."""

import asyncio
import http.client
import ipaddress
import socket
import urllib.parse

from ...errors import ProviderError

SERVICE = "checkip.amazonaws.com"
TIMEOUT = 10.0
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


async def own_address(endpoint: str) -> str:
    """Return our address, as AWS sees it; an `endpoint` elsewhere sees the one that leads there."""
    url = urllib.parse.urlsplit(endpoint)
    host = url.hostname or ""
    try:
        if host.endswith(_AWS):
            return await asyncio.to_thread(_seen_by_aws)
        return await asyncio.to_thread(_that_leads_to, host, url.port or 443)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ProviderError(
            "this machine's own address can't be found",
            cause=f"{SERVICE}: {error}",
            fix="say who may connect to the nodes, as in: --allow 203.0.113.7/32",
        ) from error


def _seen_by_aws() -> str:
    connection = http.client.HTTPSConnection(SERVICE, timeout=TIMEOUT)
    try:
        connection.request("GET", "/")
        said = connection.getresponse().read(100).decode("ascii").strip()
    finally:
        connection.close()
    return str(ipaddress.ip_address(said))


def _that_leads_to(host: str, port: int) -> str:
    """Return the address that we would connect from; nothing is sent for that."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        return str(ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]))
