"""Connecting: trust first, nothing of the user's own, and words for everything that goes wrong."""

import asyncio
import getpass
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from openssh import OpenSSH, free_port, openssh

from tinycloud.errors import InvalidInput, MachineError, TinycloudError, Unreachable, Untrusted
from tinycloud.node import Node, Status
from tinycloud.ssh import connect as connecting
from tinycloud.ssh import dial
from tinycloud.ssh.connect import connect
from tinycloud.ssh.dial import Dropped
from tinycloud.ssh.link import Link

from .client import connected, run, running, until
from .relay import Listener, listening, say, say_nothing

SERVICE_REQUEST, NEW_KEYS, AUTHENTICATION = 5, 21, 50  # RFC 4253 and 4252: message numbers
NODE = Node(tag="worker", index=3, id="i-3", status=Status.RUNNING, address="127.0.0.1")


@pytest.fixture
def talkative(program: Callable[[str], str]) -> Any:
    """An sshd that logs each message that it receives."""
    with openssh(program("sshd"), "LogLevel DEBUG3") as server:
        yield server


def received(server: OpenSSH) -> list[int]:
    """Return the numbers of the messages that the server has received."""
    return [int(n) for n in re.findall(r"receive packet: type (\d+)", server.log.read_text())]


def new_key(kind: str = "ssh-ed25519") -> asyncssh.SSHKey:
    """Return a new private key."""
    return asyncssh.generate_private_key(kind)


def line(key: asyncssh.SSHKey) -> str:
    """Return a key's public line."""
    return key.export_public_key().decode().strip()


async def failure(node: Node, server: OpenSSH | None = None, **options: Any) -> TinycloudError:
    """Connect, which must fail, and return how; every failure says what, why and what to do."""
    given = (
        {"key": server.login_key, "host_key": server.host_key}
        if server
        else {
            "key": new_key().export_private_key(),
            "host_key": line(new_key()),
        }
    )
    with pytest.raises(TinycloudError) as caught:
        await connect(node, **{**given, **options})
    error = caught.value
    assert node.name in error.what
    assert error.cause
    assert error.fix
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", f"{error} {error.fix}")
    return error


async def test_proven(talkative: OpenSSH) -> None:
    """A host that proves its identity is logged in to, and its key is returned."""
    node = talkative.node()
    link, proven = await connect(node, key=talkative.login_key, host_key=talkative.host_key)
    await link.close()
    assert proven == " ".join(talkative.host_key.split()[:2])
    assert {NEW_KEYS, SERVICE_REQUEST, AUTHENTICATION} <= set(received(talkative))
    assert f"for {node.username}" in talkative.log.read_text()


async def test_changed_key(talkative: OpenSSH) -> None:
    """A host with another key is sent nothing of ours; the error has both fingerprints."""
    node, known = replace(talkative.node(), username="nobody-asked"), new_key()
    error = await failure(node, talkative, host_key=line(known))
    assert isinstance(error, Untrusted)
    assert known.get_fingerprint() in error.cause
    assert talkative.host.get_fingerprint() in error.cause
    await until(lambda: not talkative.sessions())
    assert received(talkative)
    assert not {NEW_KEYS, SERVICE_REQUEST, AUTHENTICATION} & set(received(talkative))
    assert "nobody-asked" not in talkative.log.read_text()


async def test_unknown_key(talkative: OpenSSH) -> None:
    """A host of which no key is known is asked for it, and sent nothing of ours."""
    error = await failure(talkative.node(), talkative, host_key=None)
    assert isinstance(error, Untrusted)
    assert "is not known" in error.what
    assert talkative.host.get_fingerprint() in error.cause
    await until(lambda: not talkative.sessions())
    assert received(talkative)
    assert not {NEW_KEYS, SERVICE_REQUEST, AUTHENTICATION} & set(received(talkative))


async def test_other_kind_of_key(talkative: OpenSSH) -> None:
    """A host without a key of the kind that is known of it is not trusted."""
    known = new_key("ecdsa-sha2-nistp256")
    error = await failure(talkative.node(), talkative, host_key=line(known))
    assert isinstance(error, Untrusted)
    assert known.get_fingerprint() in error.cause
    assert not {SERVICE_REQUEST, AUTHENTICATION} & set(received(talkative))


async def test_impostor() -> None:
    """A host that shows the right key, but can't sign with it, is not trusted."""
    victim, own = new_key(), new_key()

    class Impostor(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            raise AssertionError("it was told a user name")

    pair = asyncssh.load_keypairs([own])[0]
    pair.public_data = victim.convert_to_public().public_data
    async with served(Impostor, host_keys=[pair]) as node:
        error = await failure(node, host_key=line(victim))
    assert isinstance(error, Untrusted)


async def test_damaged_key() -> None:
    """A known host key that can't be read is named as the trouble."""
    error = await failure(NODE, host_key="ssh-ed25519 AAAAnonsense")
    assert isinstance(error, Untrusted)
    assert "damaged" in error.what


@pytest.mark.parametrize("kind", ["ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521"])
async def test_kinds_of_keys(program: Callable[[str], str], kind: str) -> None:
    """Hosts prove themselves with, and take, every common kind of key."""
    with openssh(program("sshd"), late=True) as server:
        server.set_host_key(new_key(kind))
        login = new_key(kind)
        server.authorize(line(login))
        server.start()
        link, proven = await connect(
            server.node(), key=login.export_private_key(), host_key=server.host_key
        )
        assert (await run(link, "echo in")).stdout == b"in\n"
        await link.close()
    assert proven == " ".join(server.host_key.split()[:2])


HOSTILE = """
Host *
    ProxyCommand touch {trap}
    IdentityFile {own}
    User mallory
    Port 1
"""


PLAIN = """
import asyncio, asyncssh, sys

async def main():
    await asyncssh.connect("127.0.0.1", int(sys.argv[1]))

asyncio.run(main())
"""


@pytest.fixture
def hostile_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with settings, keys and an agent that are not for us; returns the trap."""
    folder = tmp_path / ".ssh"
    folder.mkdir()
    trap = tmp_path / "trap"
    for name in ("id_ed25519", "id_rsa"):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(new_key().export_private_key())
    (folder / "config").write_text(HOSTILE.format(trap=trap, own=folder / "id_rsa"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return trap


async def test_own_settings_unread(hostile_home: Path, sshd: OpenSSH) -> None:
    """The user's own ~/.ssh/config, which can run programs, is not read."""
    async with connected(sshd) as link:
        assert (await run(link, "echo in")).stdout == b"in\n"
    assert "trap" not in os.listdir(hostile_home.parent)
    # The trap works: asyncssh, left to itself, falls into it.
    words = [sys.executable, "-c", PLAIN, str(sshd.port)]
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stderr=nothing)
    assert await process.wait() != 0
    await until(lambda: "trap" in os.listdir(hostile_home.parent))


async def test_one_key(
    hostile_home: Path, talkative: OpenSSH, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly one key is offered: not the user's own, nor any of an agent, which isn't asked."""
    asked = Listener()

    async def agent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.accepted += 1
        writer.close()

    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    async with await asyncio.start_unix_server(agent, tmp_path / "agent"):
        key = new_key()
        error = await failure(talkative.node(), talkative, key=key.export_private_key())
    assert isinstance(error, Unreachable)
    assert asked.accepted == 0
    offered = re.findall(r"userauth_pubkey: .* (SHA256:\S+)", talkative.log.read_text())
    assert set(offered) == {key.get_fingerprint()}
    assert received(talkative).count(AUTHENTICATION) <= 2  # `none`, which lists ways, and ours


async def test_refused_login(sshd: OpenSSH) -> None:
    """A login that is refused names the user; time will not mend it."""
    error = await failure(sshd.node(), sshd, key=new_key().export_private_key())
    assert isinstance(error, Unreachable)
    assert f"'{sshd.accounts[0]}'" in error.cause
    assert (error.transient, error.reason) == (False, "auth")


async def test_unknown_user(sshd: OpenSSH) -> None:
    """A user that the machine does not have is named."""
    error = await failure(replace(sshd.node(), username="mallory"), sshd)
    assert "'mallory'" in error.cause


async def test_connection_refused() -> None:
    """A port on which nobody listens is told from everything else; time may mend it."""
    error = await failure(replace(NODE, port=(port := free_port())))
    assert isinstance(error, Unreachable)
    assert (error.cause, error.reason) == ("connection refused", "refused")
    assert str(port) in error.what
    assert error.transient


@pytest.mark.parametrize("name", ["nowhere.invalid", "a" * 64, "a..b", "-"])
async def test_no_such_name(name: str) -> None:
    """A name that can't be resolved is told as that."""
    error = await failure(replace(NODE, address=name))
    assert error.cause == "its name can't be resolved"


async def test_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing is given up; we leave nothing open there."""
    monkeypatch.setattr(dial, "CONNECT_TIMEOUT", 0.3)
    async with listening(say_nothing) as listener:
        error = await failure(replace(NODE, port=listener.port))
        await until(lambda: listener.now == 0)
    assert isinstance(error, Unreachable)
    assert not isinstance(error, Dropped)
    assert "did not greet us within 0.3 s" in error.cause
    assert error.transient


def test_patience_for_a_greeting() -> None:
    """A node that does not greet us is named within 10 s."""
    assert dial.CONNECT_TIMEOUT == 10


async def test_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that does not answer at all is given up in time."""
    monkeypatch.setattr(dial, "CONNECT_TIMEOUT", 0.3)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        others = [socket.socket() for _ in range(2)]  # they take what room there is
        for other in others:
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        error = await failure(replace(NODE, port=full.getsockname()[1]))
        for other in others:
            other.close()
    assert error.cause == "no answer within 0.3 s"


@pytest.mark.parametrize("words", [b"", b"\r\n"])
async def test_hangs_up(words: bytes) -> None:
    """A server that hangs up before it greets us is told as that."""
    async with listening(say(words)) as listener:
        error = await failure(replace(NODE, port=listener.port))
    assert isinstance(error, Dropped)
    assert error.cause == "it hung up before its SSH server greeted us"


async def test_other_words() -> None:
    """What a server says instead of a greeting is quoted, made harmless."""
    async with listening(say(b"Go away,\x1b]0;pwned\x07 please\r\nand \xff\r\n" * 99)) as listener:
        error = await failure(replace(NODE, port=listener.port))
    assert isinstance(error, Dropped)
    assert r"saying: Go away,\x1b]0;pwned\x07 please\r\nand \xff" in error.cause
    assert len(error.cause) < 500


async def test_too_many_logins(program: Callable[[str], str]) -> None:
    """The words of sshd for having too many logins under way are quoted."""
    with (
        openssh(program("sshd"), "MaxStartups 1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as waiting,
    ):
        assert waiting.recv(4) == b"SSH-"
        error = await failure(server.node(), server)
    assert isinstance(error, Dropped)
    assert re.search("Exceeded MaxStartups|Not allowed at this time", error.cause)
    assert "MaxStartups" in error.fix
    assert error.reason == "throttled"


async def test_no_common_algorithm(program: Callable[[str], str]) -> None:
    """A server with which we share no cipher is told as that, and not asked again."""
    with openssh(program("sshd"), "Ciphers aes128-ctr") as server:
        error = await failure(server.node(), server)
    assert isinstance(error, Unreachable)
    assert "encryption" in error.cause
    assert not error.transient


@asynccontextmanager
async def served(factory: Callable[[], asyncssh.SSHServer], host_keys: Any) -> AsyncIterator[Node]:
    """Have a server of asyncssh's, as a node."""
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=factory, server_host_keys=host_keys
    )
    async with server:
        yield replace(NODE, port=server.sockets[0].getsockname()[1])


async def test_last_words() -> None:
    """The reason that a server gives for throwing us out is quoted, made harmless and short."""

    class Rude(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            reason = "\x1b[2J\x1b[31mgo\n\rerror: nothing\u202e " + "x" * 5000
            raise asyncssh.DisconnectError(asyncssh.DISC_BY_APPLICATION, reason)

    key = new_key()
    async with served(Rude, [key]) as node:
        error = await failure(node, host_key=line(key))
    assert r"no login: \x1b[2J\x1b[31mgo" in error.cause
    assert len(error.cause) < 500


async def test_banner() -> None:
    """A banner before the login, however evil, neither shows nor hurts."""

    class Loud(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self._conn = conn

        def begin_auth(self, username: str) -> bool:
            self._conn.send_auth_banner("\x1b]0;pwned\x07\nerror: all is lost\n")
            return False

    key = new_key()
    async with served(Loud, [key]) as node:
        link, _ = await connect(node, key=new_key().export_private_key(), host_key=line(key))
        await link.close()


def without_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no variable name the user, as where cron or a container started us."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")  # noted, so that what connecting sets is taken back
        monkeypatch.delenv(name)


async def test_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no descriptor is left, this machine is blamed, and its user keeps the name."""
    import resource

    without_names(monkeypatch)
    name = getpass.getuser()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, int)
    with socket.socket() as lowest:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno() + 1, hard))
            error = await failure(replace(NODE, port=1))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(error, MachineError)
    assert "open files" in error.cause
    assert getpass.getuser() == name


async def test_user_without_a_name(sshd: OpenSSH, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that this machine has no name for, as in some containers, can connect."""

    def getuser() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("pwd.getpwuid", lambda uid: getuser())
    without_names(monkeypatch)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    async with connected(sshd) as link:
        assert (await run(link, "echo in")).stdout == b"in\n"


async def test_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting that is cancelled leaves no connection behind."""
    async with listening(say_nothing) as listener:
        task = asyncio.ensure_future(failure(replace(NODE, port=listener.port)))
        await until(lambda: listener.now == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: listener.now == 0)


async def test_frozen(program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that freezes is lost after so many keepalives without an answer."""
    monkeypatch.setattr(connecting, "KEEPALIVE_INTERVAL", 0.2)
    with openssh(program("sshd")) as server:
        async with connected(server) as link, running(link, "echo on; sleep 1000") as (ran, task):
            server.freeze()
            async with asyncio.timeout(10):
                ending = await task
            assert ran.stdout == b"on\n"
            assert "keepalive" in (ending.error or "")
            assert link.is_closed


@pytest.mark.exhaustive
async def test_frozen_in_earnest(program: Callable[[str], str]) -> None:
    """With the real settings a node that freezes is lost within a minute."""
    with openssh(program("sshd")) as server:
        async with connected(server) as link, running(link, "echo on; sleep 1000") as (_, task):
            server.freeze()
            async with asyncio.timeout(62):
                assert "keepalive" in ((await task).error or "")


def test_a_minute_of_silence() -> None:
    """Keepalives are set so that a silent node is lost within a minute."""
    # asyncssh gives up one interval after the last that counts.
    assert connecting.KEEPALIVE_INTERVAL * (connecting.KEEPALIVE_COUNT + 1) < 60


async def bad_key(data: bytes) -> InvalidInput:
    """Connect with an unusable key, and return how that fails before anything is sent."""
    async with listening(say_nothing) as listener:
        with pytest.raises(InvalidInput) as caught:
            await connect(replace(NODE, port=listener.port), key=data, host_key=line(new_key()))
    assert listener.accepted == 0
    return caught.value


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "key"),
        (b"nonsense", "key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "key"),
        (new_key().export_public_key(), "key"),
        (new_key().export_private_key("pkcs8-pem", passphrase="secret"), "passphrase"),
    ],
)
async def test_unusable_key(data: bytes, word: str) -> None:
    """A login key that can't be used is bad input, said before anything is sent."""
    error = await bad_key(data)
    assert word in error.cause
    assert error.fix


async def test_key_with_a_passphrase(program: Callable[[str], str], tmp_path: Path) -> None:
    """A key of OpenSSH's that needs a passphrase is told as that, with the way to mend it."""
    words = ["-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "key")]
    await asyncio.to_thread(subprocess.run, [program("ssh-keygen"), *words], check=True)
    error = await bad_key((tmp_path / "key").read_bytes())
    assert "passphrase" in error.cause
    assert "ssh-keygen -p" in error.fix


async def test_close_frozen(program: Callable[[str], str]) -> None:
    """Closing a connection does not wait for a node that is frozen."""
    with openssh(program("sshd")) as server:
        link, _ = await connect(server.node(), key=server.login_key, host_key=server.host_key)
        server.freeze()
        async with asyncio.timeout(5):
            await link.close()
    assert isinstance(link, Link)
    assert link.is_closed
