"""Serve one login to ourselves, for the sake of the nodes that are forked afterwards.

All that Python does only once (imports, caches, specialising code) it has done
then, in memory that the nodes share, instead of once in each node.
"""

import asyncio
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import asyncssh

from .children import Children
from .key import new_host_key
from .listener import serving
from .machine import Machine


def rehearse() -> None:
    """Serve one login and one command, all from memory and on a port of our own."""
    # It only makes the nodes quicker: what fails here will fail, and be told, where it matters.
    with suppress(OSError, asyncssh.Error), tempfile.TemporaryDirectory() as folder:
        asyncio.run(_login(Path(folder)))


async def _login(folder: Path) -> None:
    host_key, host_line = new_host_key()
    login_key, login_line = new_host_key()
    (folder / "authorized_keys").write_text(login_line)
    machine = Machine(
        username="nobody",
        home=folder,
        login_shell="/bin/sh",
        host_key=host_key,
        authorized_keys=folder / "authorized_keys",
        environment={},
    )
    with socket.create_server(("127.0.0.1", 0)) as listening, Children() as children:
        async with serving(listening, machine, children):
            connection = await asyncssh.connect(
                *listening.getsockname(),
                config=None,
                username=machine.username,
                client_keys=[asyncssh.import_private_key(login_key)],
                agent_path=None,
                known_hosts=([asyncssh.import_public_key(host_line)], [], []),
                gss_host=None,
                x509_trusted_certs=None,
                kex_algs=["curve25519-sha256"],
            )
            async with connection:
                await connection.run(":", check=True, encoding=None, stdin=asyncssh.DEVNULL)
