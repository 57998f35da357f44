"""Commands on a node, over the real `ssh`."""

import os
import re
import socket
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncssh
import psutil
import pytest

from .conftest import make_key
from .openssh import OpenSSH
from .waiting import eventually, settled


def test_exit_status(ssh: OpenSSH) -> None:
    """A command's exit status, stdout and stderr arrive as they are."""
    done = ssh.run("echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_exit_signal(ssh: OpenSSH) -> None:
    """A command that dies by a signal is reported so: ssh then ends with 255."""
    done = ssh.run("-v", "kill -KILL $$")
    assert done.returncode == 255
    assert b"exit-signal" in done.stderr


def test_own_signal_name(ssh: OpenSSH) -> None:
    """A signal that the RFC does not name kills the command and not the connection."""
    assert ssh.run("kill -VTALRM $$").returncode == 255


def test_bytes_both_ways(ssh: OpenSSH) -> None:
    """Stdin and stdout carry any bytes."""
    everything = bytes(range(256)) * 5000
    assert ssh.run("cat", stdin=everything).stdout == everything


def test_stdin_ends(ssh: OpenSSH) -> None:
    """The end of the client's stdin is the end of the command's."""
    assert ssh.run("wc -c", stdin=b"x" * 1000).stdout.strip() == b"1000"


def test_stdin_closed_early(ssh: OpenSSH) -> None:
    """A command that reads nothing ends well, however much is sent to it."""
    done = ssh.run("exec <&-; sleep 0.2; echo done", stdin=b"x" * 5_000_000)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_much_output(ssh: OpenSSH) -> None:
    """All output arrives before the exit status ends the session."""
    done = ssh.run("head -c 20000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 3")
    assert (len(done.stdout), len(done.stderr), done.returncode) == (20_000_000, 3_000_000, 3)


def test_output_waits_for_its_reader(ssh: OpenSSH) -> None:
    """A command whose output nobody takes is held back, by pipe and window."""
    talk = "for i in $(seq 300); do head -c 100000 /dev/zero; echo $i >>count; done"
    with ssh.start(talk) as client:
        wrote = settled(lambda: ssh.output("touch count; wc -l <count"))
        assert int(wrote) < 200
        assert client.stdout
        assert len(client.stdout.read()) == 300 * 100_000


def test_input_waits_for_its_reader(ssh: OpenSSH) -> None:
    """A command that reads nothing yet holds the client back, and then gets every byte."""
    size = 30_000_000
    with ssh.start("while [ ! -e go ]; do sleep 0.05; done; wc -c") as client:
        assert client.stdin
        sent: list[int] = []

        def send() -> None:
            assert client.stdin
            for _ in range(size // 100_000):
                sent.append(client.stdin.write(b"x" * 100_000))
            client.stdin.close()

        sender = threading.Thread(target=send)
        sender.start()
        assert sum(settled(lambda: list(sent))) < size // 2
        ssh.output("touch go")
        sender.join()
        assert client.stdout
        assert int(client.stdout.read()) == size
        client.stdin = None


def test_client_leaves_while_input_waits(ssh: OpenSSH) -> None:
    """A client that vanishes while its input waits leaves no open pipe behind."""
    with ssh.start("echo $$; exec sleep 1000") as client:
        assert client.stdin
        assert client.stdout
        pid = int(client.stdout.readline())
        pipe = client.stdin.fileno()
        eventually(lambda: settled(lambda: _stuffed(pipe)) == 0)
        client.kill()
    eventually(lambda: not _writers(f"/proc/{pid}/fd/0"))
    ssh.output(f"kill {pid}")


def test_background_keeps_the_pipe(ssh: OpenSSH) -> None:
    """The exit status comes at once, though a child in the background holds the output open."""
    with ssh.start("-v", "sleep 30 & echo $!; exit 3") as client:
        assert client.stderr
        assert client.stdout
        pid = client.stdout.readline().decode()
        for line in client.stderr:
            if b"exit-status" in line:
                break
        assert client.poll() is None
        ssh.output(f"kill {pid}")
        assert client.wait(10) == 3


def test_background_that_talks(ssh: OpenSSH) -> None:
    """An endless talker in the background does not keep the exit status back."""
    with ssh.start("-v", "echo pid $$ >&2; yes & exit 5") as client:
        assert client.stdout
        assert client.stderr
        threading.Thread(target=client.stdout.read, daemon=True).start()
        told = b""
        while not (pid := re.search(rb"^pid (\d+)$", told, re.M)) or b"exit-status" not in told:
            told += client.stderr.readline()
        ssh.output(f"kill -- -{pid[1].decode()}")
        assert client.wait(10) == 5


def test_nohup_survives(ssh: OpenSSH) -> None:
    """A command that outlives its session on purpose lives on; its node's end will be its own."""
    pid = ssh.output("nohup sleep 1000 >/dev/null 2>&1 & echo $!")
    assert ssh.run(f"kill -0 {pid}").returncode == 0
    ssh.output(f"kill {pid}")


def test_output_closes_with_the_client(ssh: OpenSSH) -> None:
    """Who writes to a client that has gone gets SIGPIPE, as under sshd."""
    with ssh.start("echo $$; exec yes") as client:
        assert client.stdout
        pid = int(client.stdout.readline())
        client.kill()
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_environment(ssh: OpenSSH) -> None:
    """A session gets sshd's environment and the node's own, and no secret of the launcher."""
    lines = ssh.output("env -0 | tr '\\0' '\\n'").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert found["TINYCLOUD_CLUSTER"] == "voltron"
    assert found["TINYCLOUD_NODE"] == "worker-0"
    assert found["TINYCLOUD_NODE_ID"] == ssh.node.id
    assert found["HOME"] == ssh.output("pwd")
    assert found["USER"] == found["LOGNAME"] == ssh.node.username
    assert found["PATH"] == os.environ["PATH"]
    client, port, server, server_port = found["SSH_CONNECTION"].split()
    assert (client, server, server_port) == ("127.0.0.1", "127.0.0.1", str(ssh.node.port))
    assert found["SSH_CLIENT"] == f"{client} {port} {server_port}"
    allowed = {"SHELL", "PWD", "SHLVL", "_", "LANG", "TZ", "TMPDIR", "HOME", "USER", "LOGNAME"}
    strange = {name for name in found if not name.startswith(("TINYCLOUD_", "SSH_", "LC_"))}
    assert strange <= allowed | {"PATH"}


def test_node_has_no_secret(ssh: OpenSSH) -> None:
    """The node's own process does not hold the launcher's secrets either."""
    assert "hush" not in ssh.output("cat /proc/$PPID/environ | tr '\\0' '\\n'")


def test_accepted_variables(ssh: OpenSSH, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the client's variables a session takes the language, and nothing else."""
    monkeypatch.setenv("LC_MONETARY", "C")
    monkeypatch.setenv("LD_PRELOAD_X", "evil")
    options = ["-oSendEnv=LC_* LD_PRELOAD_X"]
    done = ssh.run(*options, "echo $LC_MONETARY/$LD_PRELOAD_X")
    assert done.stdout == b"C/\n"


def test_odd_commands(ssh: OpenSSH) -> None:
    """A command may hold any byte but NUL, and be long."""
    command = b"printf %s '\xe9\xff' | od -An -tx1"
    done = subprocess.run([*ssh.command(), command], capture_output=True, timeout=60)
    assert done.stdout.split() == [b"e9", b"ff"]
    assert ssh.run(f": {'x' * 100_000}; echo fine").stdout == b"fine\n"


async def test_too_long_command(ssh: OpenSSH) -> None:
    """A command that no program could be given is refused in words."""
    async with _asyncssh(ssh) as connection:
        done = await connection.run(f": {'x' * 140_000}")
    assert done.exit_status == 126
    assert "Argument list too long" in str(done.stderr)


def test_many_sessions(ssh: OpenSSH, tmp_path: Path) -> None:
    """Twenty commands run at once over one connection."""
    control = f"-oControlPath={tmp_path}/c"
    with ssh.start("-N", "-M", control) as master:
        eventually((tmp_path / "c").exists)
        with ExitStack() as held:
            commands = [f"read x; exit {number}" for number in range(20)]
            clients = [held.enter_context(ssh.start(control, command)) for command in commands]
            for client in clients:
                client.communicate(b"\n")
        master.kill()  # it may sleep through a SIGTERM that comes just before it polls
    assert [client.returncode for client in clients] == list(range(20))


def test_forwarding(ssh: OpenSSH) -> None:
    """`ssh -L` reaches what the node reaches; the node's own name for itself included."""
    with socket.create_server(("127.0.0.1", 0)) as target, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        here, there = free.getsockname()[1], target.getsockname()[1]
        free.close()
        with ssh.start("-N", f"-L127.0.0.1:{here}:localhost:{there}") as client:
            near = _connected(here)
            far, _ = target.accept()
            with near, far:
                near.sendall(b"to the target")
                assert far.recv(100) == b"to the target"
                far.sendall(b"and back")
                assert near.recv(100) == b"and back"
            client.kill()


def test_other_keys_are_refused(ssh: OpenSSH, tmp_path: Path) -> None:
    """A key that was not authorised doesn't get in."""
    done = OpenSSH(ssh.node, make_key(tmp_path), tmp_path).run("true")
    assert done.returncode == 255
    assert b"Permission denied (publickey)" in done.stderr


def test_other_users_are_refused(ssh: OpenSSH, tmp_path: Path) -> None:
    """The right key doesn't get in under another user's name."""
    stranger = OpenSSH(ssh.node, ssh.key, tmp_path)
    stranger.place = "somebody@127.0.0.1"
    assert b"Permission denied (publickey)" in stranger.run("true").stderr


def test_passwords_are_refused(ssh: OpenSSH) -> None:
    """Neither a password nor its interactive form is on offer."""
    options = ["-oPubkeyAuthentication=no", "-oBatchMode=no", "-oNumberOfPasswordPrompts=1"]
    assert b"Permission denied (publickey)" in ssh.run(*options, "true").stderr


def test_only_loopback(ssh: OpenSSH) -> None:
    """A node listens on 127.0.0.1 and nowhere else."""
    found = subprocess.run(["ss", "-Hltn", f"sport = :{ssh.node.port}"], capture_output=True)
    assert [line.split()[3] for line in found.stdout.splitlines()] == [
        f"127.0.0.1:{ssh.node.port}".encode()
    ]


@pytest.mark.parametrize("name", ["TERM", "INT", "USR1"])
async def test_signals(ssh: OpenSSH, name: str) -> None:
    """A signal request reaches the command's process group, and its exit tells of it."""
    async with _asyncssh(ssh) as connection:
        process = await connection.create_process("echo on; exec sleep 1000", encoding=None)
        assert await process.stdout.readline() == b"on\n"
        process.send_signal(name)
        done = await process.wait()
    assert done.exit_signal
    assert done.exit_signal[:2] == (name, False)


@asynccontextmanager
async def _asyncssh(ssh: OpenSSH) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Connect with asyncssh, for what the `ssh` program can't send."""
    async with asyncssh.connect(
        ssh.node.address or "",
        ssh.node.port,
        username=ssh.node.username,
        client_keys=[str(ssh.key)],
        known_hosts=([asyncssh.import_public_key(ssh.node.host_key or "")], [], []),
        config=None,
        agent_path=None,
    ) as connection:
        yield connection


def _connected(port: int) -> socket.socket:
    made: list[socket.socket] = []

    def tried() -> bool:
        with suppress(ConnectionRefusedError):
            made.append(socket.create_connection(("127.0.0.1", port)))
        return bool(made)

    eventually(tried)
    return made[0]


def _stuffed(pipe: int) -> int:
    """Write into a pipe until it is full; return how many bytes went in this time."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        return os.write(pipe, b"x" * 65536)
    return 0


def _writers(pipe: str) -> list[int]:
    """Return who can write to the pipe that this path in /proc names."""
    found = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            folder = Path(f"/proc/{process.pid}/fd")
            ends = [end for end in folder.iterdir() if os.readlink(end) == os.readlink(pipe)]
            if any(_writes(end) for end in ends):
                found.append(process.pid)
    return found


def _writes(end: Path) -> bool:
    info = (end.parent.parent / "fdinfo" / end.name).read_text()
    return int(info.split("flags:")[1].split()[0], 8) & os.O_ACCMODE == os.O_WRONLY
