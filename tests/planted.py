"""An sshd as on a machine of its own: with an /etc/ssh that can be changed, as root.

Its host key is one that somebody planted; and a driver whose machine it is.
"""

import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import asyncssh
import pytest
from machines import Memory, Provider
from openssh import OpenSSH, can_be_apart, running

from tinycloud import GroupSpec, Node, Status
from tinycloud.cloud.lifetime import deadline

INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf"


class Planted(OpenSSH):
    """An sshd with an /etc/ssh of its own; `settings` are those of its sshd_config."""

    locked = 0
    """For how many looks at the provider from now on nobody is let in yet."""

    @property
    def etc(self) -> Path:
        """Its /etc/ssh, as seen from outside."""
        return self._folder / "etc-ssh"

    def _write(self, settings: tuple[str, ...]) -> None:
        (self.etc / "sshd_config.d").mkdir(parents=True)
        self._config = self.etc / "sshd_config"
        super()._write(settings)
        text = self._config.read_text()
        self._config.write_text(text.replace(f"HostKey {self._folder}/host_key\n", ""))
        self._config = Path("/etc/ssh/sshd_config")

    def set_host_key(self, key: asyncssh.SSHKey) -> None:
        """Have this planted key, as cloud-init would write it."""
        path = self.etc / "ssh_host_ed25519_key"
        path.touch(mode=0o600)
        path.write_bytes(key.export_private_key())
        path.with_suffix(".pub").write_bytes(key.export_public_key())
        self.host = key

    @property
    def deadline(self) -> Path:
        """The file in which it notes its deadline."""
        return self._folder / "deadline"

    def fingerprints(self) -> set[str]:
        """Return the fingerprints of the host keys that it shows to anyone who asks."""
        asked = ["ssh-keyscan", "-p", str(self.port), "127.0.0.1"]
        shown = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        lines = [line.split(" ", 1)[1] for line in shown.splitlines() if line[:1] != "#"]
        return {asyncssh.import_public_key(line).get_fingerprint() for line in lines}


class Planting(Memory):
    """A driver whose one machine is that sshd, and which may be rebooted."""

    name = "planting"
    plants_host_keys = True

    def __init__(self, server: Planted) -> None:
        super().__init__(Provider())
        self.server = server
        self.ends: dict[str, datetime | None] = {}

    @property
    def options(self) -> Mapping[str, object]:
        return {}

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Return the node, and what may be known of its identity from the provider alone."""
        return tuple(
            replace(
                node,
                address="127.0.0.1",
                port=self.server.port,
                username="root",
                host_key=self._told(node),
                expires_at=self.ends.get(node.id),
            )
            for node in await super().list(spec)
            if node.status is not Status.TERMINATED
        )

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        """Start, and give new nodes the time to live that is asked for."""
        for node in await super().start(spec):
            if node.id not in self.ends:
                self.ends[node.id] = deadline(spec.ttl)
        return await self.list(spec)

    async def extend(
        self, spec: GroupSpec, nodes: Collection[Node], deadline: datetime | None
    ) -> str:
        """Note the deadline; the script writes it down on the node."""
        self.ends |= {node.id: deadline for node in nodes}
        word = deadline.isoformat() if deadline else "none"
        return f"echo {word} >{self.server.deadline}"

    def _told(self, node: Node) -> str:
        login = self.provider.specs[node.id].authorized_keys[0]
        if self.server.locked:
            self.server.locked -= 1
        else:
            self.server.authorize(login)
        return f"{self.server.host_key}\n@cert-authority {login}"


@contextmanager
def planted(program: Callable[[str], str], *settings: str) -> Iterator[Planted]:
    """Run such an sshd for as long as the block lasts; it needs mounts of its own."""
    if not can_be_apart():
        pytest.skip("needs root, and mounts of our own")
    with running(Planted, program("sshd"), *(settings or (INCLUDE,))) as server:
        yield server
