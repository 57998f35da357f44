"""What asyncssh alone takes: connections with the options that our client has."""

from typing import Any

import asyncssh

from tinycloud.ssh import connect


def options(*, port: int, username: str, host_key: str, key: asyncssh.SSHKey) -> dict[str, Any]:
    """Return the options that our client connects with."""
    known = asyncssh.import_public_key(host_key)
    return {
        "port": port,
        "username": username,
        "client_keys": [key],
        "known_hosts": ([known], [], []),
        "server_host_key_algs": ["ssh-ed25519"],
        "config": None,
        "agent_path": None,
        "preferred_auth": "publickey",
        "x509_trusted_certs": None,
        "gss_host": None,
        "kex_algs": connect.key_exchanges(),
        "encryption_algs": connect.CIPHERS,
        "compression_algs": None,
        "keepalive_interval": connect.KEEPALIVE_INTERVAL,
        "keepalive_count_max": connect.KEEPALIVE_COUNT,
        "login_timeout": connect.LOGIN_TIMEOUT,
    }


async def answer(connection: asyncssh.SSHClientConnection, line: str) -> str:
    """Run a line that has our leash on, which must exit with 0; return what it printed."""
    result = await connection.run(line, encoding=None, stdin=asyncssh.PIPE)
    assert result.exit_status == 0, result
    assert isinstance(result.stdout, bytes)
    return result.stdout.decode()
