"""Many machines out of one: an sshd that answers on as many loopback addresses as wanted."""

import asyncio
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncssh
from answers import COMMAND
from openssh import Everywhere, OpenSSH, running

from tinycloud import Cloud, Group
from tinycloud.drivers.hosts import Hosts

# Nobody's way of working is to be held up by a server that protects itself from crowds.
_SETTINGS = ("MaxStartups 10000", "LoginGraceTime 600", "AllowUsers *@127.0.0.0/8")

_CONFIG = """\
Host 127.*
  Port {port}
  User {user}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile /dev/null
  BatchMode yes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack:
    """What it takes to log in to machines, and the lines that our client sends to each."""

    cluster: str
    addresses: tuple[str, ...]
    port: int
    user: str
    key: str
    host_key: str
    known_hosts: str
    config: str
    lines: tuple[str, ...] = ()

    def cloud(self) -> Cloud:
        """Return the cluster of these machines."""
        names = [f"{address}:{self.port}" for address in self.addresses]
        hosts = Hosts(names, username=self.user, known_hosts=self.known_hosts)
        return Cloud([Group("node", len(names), hosts)], name=self.cluster, keyfile=self.key)

    def write(self, path: Path) -> None:
        """Write it down for another process."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: str) -> Self:
        """Read what another process has written down."""
        found = json.loads(Path(path).read_text())
        return cls(**{name: _tuple(value) for name, value in found.items()})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def addresses(count: int) -> tuple[str, ...]:
    """Return so many loopback addresses, of which each could be another machine's."""
    return tuple(f"127.1.{index // 250}.{index % 250 + 1}" for index in range(count))


@contextmanager
def server(program: str) -> Iterator[OpenSSH]:
    """Have an sshd that answers on all loopback addresses, to whom comes from one of them."""
    with running(Everywhere, program, *_SETTINGS) as sshd:
        yield sshd


def rack(sshd: OpenSSH, count: int, folder: Path) -> Rack:
    """Return so many machines, of which a cluster has been launched."""
    user = "bash" if "bash" in sshd.accounts else sshd.accounts[0]
    places = addresses(count)
    key, known_hosts, config = (folder / name for name in ("key", f"known-{count}", "config"))
    key.touch(mode=0o600)
    key.write_bytes(sshd.login_key)
    lines = (f"[{address}]:{sshd.port} {sshd.host_key}\n" for address in places)
    known_hosts.write_text("".join(lines))
    config = folder / f"config-{count}"
    config.write_text(_CONFIG.format(port=sshd.port, user=user, key=key, known_hosts=known_hosts))
    made = Rack(
        cluster=f"rack-{count}",
        addresses=places,
        port=sshd.port,
        user=user,
        key=str(key),
        host_key=sshd.host_key,
        known_hosts=str(known_hosts),
        config=str(config),
    )
    return dataclasses.replace(made, lines=asyncio.run(_sent(made)))


async def _sent(rack: Rack) -> tuple[str, ...]:
    """Launch the cluster, and return the line that our client sends to each of its nodes."""
    sent: dict[str, str] = {}
    create_session = asyncssh.SSHClientConnection.create_session

    async def noted(
        self: asyncssh.SSHClientConnection, session: Any, command: Any, **options: Any
    ) -> Any:
        line = command.decode() if isinstance(command, bytes) else command
        sent[self.get_extra_info("peername")[0]] = line
        return await create_session(self, session, command, **options)

    cloud = rack.cloud()
    await cloud.launch()
    asyncssh.SSHClientConnection.create_session = noted  # type: ignore[method-assign,assignment]
    try:
        (await cloud.execute(COMMAND)).check()
    finally:
        asyncssh.SSHClientConnection.create_session = create_session  # type: ignore[method-assign]
    return tuple(sent[address] for address in rack.addresses)


def settle(sshd: OpenSSH) -> None:
    """Wait until the server has let go of whoever was there before."""
    deadline = time.monotonic() + 60
    while sshd.sessions() and time.monotonic() < deadline:
        time.sleep(0.1)


def sshd_program() -> str | None:
    """Return where sshd is, if it is installed."""
    return shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
