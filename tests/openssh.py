"""OpenSSH's sshd as the other party: the real one, on a loopback port, gone without a trace.

As root it runs among mounts of its own, with its own list of accounts: one for root,
and one with an ordinary user for each login shell there is, none of which exists
outside. Run by anyone else it knows only who runs it.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import asyncssh
import psutil
import pytest

from tinycloud.node import Node, Status

SHELLS = ("sh", "bash", "dash", "zsh", "fish", "tcsh", "mksh")
"""Login shells with an account of their own name, where they are installed."""

STARTUP = 10.0
FIRST_UID = 61_000

# What Debian ships, but PAM (which wants a machine that was booted), and what a port
# of its own and keys of its own need. MaxStartups, MaxSessions and so on stay as they are.
_SETTINGS = """\
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
PidFile none
StrictModes no
AuthorizedKeysFile {folder}/authorized_keys
SetEnv {mark}=yes
KbdInteractiveAuthentication no
PrintMotd no
X11Forwarding yes
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""

# Who may be root: all, but for one who needs a password, and one who is not known.
NEEDS_PASSWORD, MAY_NOT = "dash", "mksh"
_SUDOERS = f"""\
Defaults env_keep += "TINYCLOUD_TEST_*"
ALL ALL = NOPASSWD: ALL
{NEEDS_PASSWORD} ALL = PASSWD: ALL
{MAY_NOT} ALL = !ALL
"""

_APART = (
    'mount --bind "$1/passwd" /etc/passwd'
    ' && { [ ! -e /etc/sudoers ] || mount --bind "$1/sudoers" /etc/sudoers; }'
    " && mount -t tmpfs tmpfs /run && mkdir /run/sshd"
    " && mount -t tmpfs tmpfs /var/log"
    ' && { [ ! -d "$1/etc-ssh" ] || mount --bind "$1/etc-ssh" /etc/ssh; } && shift && exec "$@"'
)


class OpenSSH:
    """One sshd; `settings` are lines of its configuration that go before the default ones.

    `login_key` is a private key that may log in to every account.
    """

    address = "127.0.0.1"  # what it listens on

    def __init__(self, program: str, folder: Path, settings: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.log = folder / "log"
        self.host = asyncssh.generate_private_key("ssh-ed25519")
        login = asyncssh.generate_private_key("ssh-ed25519")
        self.login_key = login.export_private_key()
        self._program = program
        self._folder = folder
        self._config = folder / "config"
        self._mark = f"TINYCLOUD_TEST_{uuid.uuid4().hex}"
        self._process: subprocess.Popen[bytes] | None = None
        self._apart = can_be_apart()
        self.accounts = _accounts(folder / "home") if self._apart else (_own_name(),)
        self._write(settings)
        self.authorize(login.export_public_key().decode())

    def _write(self, settings: tuple[str, ...]) -> None:
        folder = self._folder
        lines = _SETTINGS.format(
            address=self.address, port=self.port, folder=folder, mark=self._mark
        )
        self._config.write_text("\n".join((*settings, lines)))
        self.set_host_key(self.host)

    def set_host_key(self, key: asyncssh.SSHKey) -> None:
        """Have another host key from the next start on."""
        path = self._folder / "host_key"
        path.touch(mode=0o600)
        path.write_bytes(key.export_private_key())
        self.host = key

    def authorize(self, line: str) -> None:
        """Accept another public key, given as a line."""
        with (self._folder / "authorized_keys").open("a") as file:
            file.write(f"{line}\n")

    @property
    def host_key(self) -> str:
        """The host's public key line."""
        return self.host.export_public_key().decode().strip()

    def home(self, account: str) -> Path:
        """Return the home folder of one of its accounts."""
        return self._folder / "home" / account if self._apart else Path.home()

    def node(self, account: str | None = None) -> Node:
        """Return the server as a node, for one of its accounts; the first unless told."""
        name = self.accounts[0] if account is None else account
        if name not in self.accounts:
            message = f"needs root, mounts of our own, and the shell {name}"
            pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
        return Node(
            tag="worker",
            index=0,
            id=f"sshd-{self.port}-{name}",
            status=Status.RUNNING,
            address="127.0.0.1",
            port=self.port,
            username=name,
            host_key=self.host_key,
        )

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [self._program, "-D", "-f", str(self._config), "-E", str(self.log)]
        if self._apart:
            command = ["unshare", "--mount", "sh", "-c", _APART, "sh", str(self._folder), *command]
        self.log.write_text("")
        self._process = subprocess.Popen(command)
        deadline = time.monotonic() + STARTUP
        while "Server listening" not in self.log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start: {self.log.read_text()}")
            time.sleep(0.005)

    def stop(self) -> None:
        """End it with all that its sessions started."""
        self.send_signal(signal.SIGKILL)
        self.clear()
        if self._process is not None:
            self._process.wait()
            self._process = None

    def clear(self) -> None:
        """End all that its sessions have started."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal every process of sshd itself, but not what runs in its sessions."""
        for process in self._daemons():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def freeze(self) -> None:
        """Have it, and all its connections, neither answer nor end."""
        self.send_signal(signal.SIGSTOP)

    def sessions(self) -> int:
        """Return how many connections it serves."""
        if self._process is None or self._process.poll() is not None:
            return 0
        return sum(map(_is_alive, psutil.Process(self._process.pid).children()))

    def running(self) -> list[str]:
        """Return the command lines of `processes`."""
        found = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                found.append(" ".join(process.cmdline()))
        return found

    def _daemons(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        own = psutil.Process(self._process.pid)
        marked = {process.pid for process in self.processes()}
        return [own, *(p for p in own.children(recursive=True) if p.pid not in marked)]

    def processes(self) -> list[psutil.Process]:
        """Return all that its sessions have started and that still lives."""
        # All that is started in a session carries our mark in its environment.
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if self._mark in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def can_be_apart() -> bool:
    """Return whether we may have mounts, and so accounts, of our own."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


def _accounts(homes: Path) -> tuple[str, ...]:
    """Write the list of accounts beside `homes`, make their home folders, return their names."""
    homes.mkdir()
    lines = [line for line in Path("/etc/passwd").read_text().splitlines() if line[:5] != "root:"]
    names = []
    for uid, (name, shell) in enumerate([("root", "bash"), *((s, s) for s in SHELLS)], FIRST_UID):
        path = shutil.which(shell, path="/bin:/usr/bin")
        if path is None:
            continue
        owner = 0 if name == "root" else uid
        (homes / name).mkdir()
        os.chown(homes / name, owner, owner)
        lines.append(f"{name}:*:{owner}:{owner}::{homes / name}:{path}")
        names.append(name)
    (homes.parent / "passwd").write_text("\n".join(lines) + "\n")
    (homes.parent / "sudoers").touch(mode=0o440)
    (homes.parent / "sudoers").write_text(_SUDOERS)
    return tuple(names)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Everywhere(OpenSSH):
    """An sshd that answers on every address of this machine: it can pass for many machines."""

    address = "0.0.0.0"


Kind = TypeVar("Kind", bound=OpenSSH)


@contextmanager
def openssh(program: str, *settings: str, late: bool = False) -> Iterator[OpenSSH]:
    """Run an sshd for as long as the block lasts; `late` leaves the start to the block."""
    with running(OpenSSH, program, *settings, late=late) as server:
        yield server


@contextmanager
def running(kind: type[Kind], program: str, *settings: str, late: bool = False) -> Iterator[Kind]:
    """Run an sshd of this kind; see `openssh`."""
    folder = Path(tempfile.mkdtemp(prefix="tinycloud-sshd-"))
    folder.chmod(0o755)  # its users have to get at their homes
    server = kind(program, folder, settings)
    try:
        if not late:
            server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sshd(program: Callable[[str], str]) -> Iterator[OpenSSH]:
    """OpenSSH's sshd with default settings, shared by all tests that leave it as it is."""
    with openssh(program("sshd")) as server:
        yield server
