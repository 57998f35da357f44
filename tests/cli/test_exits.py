"""Exit codes: every row of the table can be reached, and the worst of several counts."""

import errno
import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tinycloud import errors
from tinycloud.cli import exits
from tinycloud.cloud import Cloud
from tinycloud.errors import LaunchFailed, TinycloudError
from tinycloud.result import State
from tinycloud.store.keys import make_login_key

from .running import PROGRAM, Cli, run

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF+Fgth3RLLSJQUGZGkjAmqPYTBiOp5HM4GJFgxVfBnh\n"


@pytest.fixture
def destroyed(cli: Cli, state: Path) -> Iterator[None]:
    """Destroy after the test what it launched as voltron, and see that nothing is left."""
    yield
    cli("destroy", "voltron")
    assert not state.exists()


def _kinds(root: type[TinycloudError]) -> Iterator[type[TinycloudError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)


def test_every_error_of_ours_has_a_code() -> None:
    """No error that tinycloud raises on purpose counts as a bug."""
    ours = {kind for kind in _kinds(TinycloudError) if kind.__module__ == errors.__name__}
    plain = {kind for kind in ours if kind not in (LaunchFailed, errors.CommandFailed)}
    found = {kind.__name__: exits.of_error(kind("what")) for kind in plain}
    assert (
        found.items()
        >= {
            "InvalidInput": 2,
            "NoSuchCluster": 3,
            "ClusterExists": 3,
            "ClusterBusy": 3,
            "ProviderError": 4,
            "Unreachable": 5,
            "ConnectionLost": 5,
            "Untrusted": 6,
            "MachineError": 7,
            "ResourcesRemain": 8,
        }.items()
    )
    assert 70 not in found.values()
    assert exits.of_error(errors.CommandFailed("what", results=())) == 1


def test_every_state_has_a_code() -> None:
    """However a node ends, the code says so; only `ok` is 0."""
    found = {state: exits.of_states([state]) for state in State}
    assert [state for state, code in found.items() if code == 0] == [State.OK]
    assert {state for state, code in found.items() if code == 5} == {
        State.TIMEOUT,
        State.UNREACHABLE,
        State.LOST,
        State.GONE,
    }
    assert found[State.UNTRUSTED] == 6
    assert exits.of_states([]) == 0


def test_the_worst_of_several_counts() -> None:
    """If several hold it is the first of 8, 6, 5, 7, 4, 1."""
    order = [8, 6, 5, 7, 4, 1]
    for place in range(len(order)):
        assert exits.worst([0, *reversed(order[place:])]) == order[place]


def test_a_failed_launch_counts_what_befell_its_nodes() -> None:
    """A launch that failed has the code of its worst node, and 8 if anything remains."""

    def code(*failures: TinycloudError, remaining: tuple[str, ...] = ()) -> int:
        named = {f"worker-{index}": failure for index, failure in enumerate(failures)}
        return exits.of_error(LaunchFailed("what", failures=named, remaining=remaining))

    lost, refused = errors.Unreachable("x"), errors.ProviderError("x")
    assert code(refused) == 4
    assert code(refused, lost) == 5
    assert code(refused, lost, errors.Untrusted("x")) == 6
    assert code(refused, remaining=("worker-0",)) == 8


def test_all_well_and_a_command_that_failed(cli: Cli, voltron: Path) -> None:
    """0 if the command ended well everywhere; 1 if it failed somewhere, by status or signal."""
    assert cli("execute", "voltron", "-e", "true").code == 0
    failed = cli("execute", "voltron", "-e", "[ $TINYCLOUD_NODE != worker-1 ]")
    assert failed.code == 1
    assert failed.lines == [
        "error: 1 of 3 nodes failed (worker-1: exit status 1)",
        "fix: see what it printed",
        "3 nodes: 2 ok, 1 failed",
    ]
    assert cli("execute", "voltron", "master", "-e", "kill -9 $$").code == 1
    assert voltron.exists()


def test_a_timeout_is_5_and_names_its_remedy(cli: Cli, voltron: Path) -> None:
    """A node that takes too long is told from one that can't be reached."""
    late = cli("execute", "voltron", "worker", "0", "-e", "sleep 1000", "--timeout", "0.2")
    assert late.code == 5
    assert late.lines[1] == "fix: give it more time with --timeout, or less to do"
    assert late.lines[2] == "1 node: 1 timeout"
    assert voltron.exists()


@pytest.mark.parametrize("command", ["list", "status", "login", "start", "stop", "destroy"])
def test_no_such_cluster_is_3(cli: Cli, state: Path, command: str) -> None:
    """A cluster that nobody knows is an error for every command but launch, and leaves no trace."""
    assert "tinycloud list" in cli(command, "lion").refused(3)
    assert not state.exists()


@pytest.mark.parametrize("command", [("list",), ("status",), ("execute", "-e", "true")])
def test_no_such_cluster_goes_before_no_such_group(
    cli: Cli, state: Path, command: tuple[str, ...]
) -> None:
    """Where there is no cluster its groups are no matter."""
    first, *rest = command
    assert "tinycloud list" in cli(first, "lion", "pride", *rest).refused(3)
    assert not state.exists()


@pytest.mark.usefixtures("odd", "destroyed")
def test_a_cluster_of_another_driver_is_3(cli: Cli) -> None:
    """A cluster is not taken over by another driver; the one that has it goes on."""
    assert cli("launch", "voltron", "-n", "0").code == 0
    taken = cli("launch", "voltron", "-n", "0", "--driver", "deaf", "--quiet")
    assert "tinycloud destroy voltron" in taken.refused(3)
    assert cli("execute", "voltron", "-e", "true").code == 0


@pytest.mark.usefixtures("odd")
def test_a_provider_that_refuses_is_4(cli: Cli, state: Path) -> None:
    """What the provider says is shown, as text, and nothing is left."""
    refused = cli("launch", "voltron", "--driver", "refusing")
    assert (refused.code, refused.out) == (4, "")
    assert "no machines today ([red]quota[/red] \\x1b[2J)" in refused.lines[-2]
    assert refused.lines[-1] == "fix: wait"
    assert not state.exists()


@pytest.mark.usefixtures("odd", "destroyed")
def test_a_node_out_of_reach_is_5(cli: Cli, state: Path) -> None:
    """A node where nobody listens is unreachable, for all who want to connect."""
    assert cli("launch", "voltron", "-n", "0", "--driver", "deaf", "--no-wait").code == 0
    assert cli("execute", "voltron", "-e", "true").code == 5
    login = cli("login", "voltron")
    assert login.refused(5)
    assert "can't reach master-0 at 127.0.0.1 port 1 (" in login.err
    assert state.exists()


def test_a_key_that_is_refused_is_5(cli: Cli, voltron: Path, tmp_path: Path) -> None:
    """Another key is what helps, not another launch."""
    (tmp_path / "other").mkdir(mode=0o700)
    make_login_key(tmp_path / "other", "other")
    words = ("-i", str(tmp_path / "other" / "key"))
    (tmp_path / "file").touch()
    for outcome in (
        cli("execute", "voltron", "-e", "true", *words),
        cli("put", "voltron", str(tmp_path / "file"), "there", *words),
    ):
        assert outcome.code == 5
        assert "it refused our key for user" in outcome.err
        assert "fix: use the key and the user that the nodes were launched with" in outcome.lines


@pytest.mark.usefixtures("destroyed")
def test_several_at_once(cli: Cli, state: Path) -> None:
    """One node fails, one is dead, one is not who it was: the last counts, all are counted."""
    assert cli("launch", "voltron", "-n", "2").code == 0
    nodes = {node["name"]: node for node in json.loads(cli("list", "voltron", "--json").out)}
    (state / "clusters/voltron/pins" / nodes["worker-0"]["id"]).write_text(HOST_KEY)
    (record,) = state.glob("local/voltron/worker/1/node.json")
    psutil.Process(json.loads(record.read_text())["pid"]).kill()
    outcome = cli("execute", "voltron", "-e", "false")
    assert outcome.code == 6
    assert outcome.lines[-1] == "3 nodes: 1 failed, 1 unreachable, 1 untrusted"
    assert "find out who answers there" in outcome.lines[-2]
    assert cli("execute", "voltron", "worker", "1", "-e", "false").code == 5
    assert cli("login", "voltron", "worker", "0").refused(6)


@pytest.mark.usefixtures("odd")
def test_what_this_machine_lacks_is_7(cli: Cli, state: Path) -> None:
    """A driver that finds this machine wanting ends in 7."""
    assert cli("launch", "voltron", "--driver", "lacking", "--quiet").refused(7) == "buy more"
    assert not state.exists()


@pytest.mark.parametrize(
    ("limit", "fix"), [("NOFILE", "allow more open files: ulimit -n"), ("FSIZE", "ulimit -f")]
)
def test_limits_of_this_machine_are_7(tmp_path: Path, state: Path, limit: str, fix: str) -> None:
    """Too few descriptors, or no room for a file, is this machine's fault, and the fix says so."""

    def narrow() -> None:
        resource.setrlimit(getattr(resource, f"RLIMIT_{limit}"), (5, 5))

    done = subprocess.run(
        [PROGRAM, "launch", "voltron", "-n", "0", "--quiet"],
        capture_output=True,
        text=True,
        preexec_fn=narrow,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, ""), done.stderr
    assert fix in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert run("destroy", "voltron").code in (0, 3)
    assert not state.exists()


@pytest.mark.usefixtures("odd")
def test_what_remains_is_8_and_the_remedy_removes_it(
    cli: Cli, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that can't be destroyed is named, stays known, and goes when the driver can."""
    assert cli("launch", "voltron", "-n", "1", "--driver", "sticky").code == 0
    stuck = cli("destroy", "voltron")
    assert stuck.refused(8) == "tinycloud destroy voltron"
    assert "still there: master-0, worker-0" in stuck.err
    assert cli("list", "voltron").code == 0
    monkeypatch.setenv("ODD_FREE", "1")
    assert cli("destroy", "voltron").code == 0
    assert not state.exists()


@pytest.mark.usefixtures("odd")
def test_a_failed_launch_that_leaves_something_is_8(
    cli: Cli, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If what a failed launch created can't be destroyed, the user is told what and how."""
    setup = tmp_path / "setup"
    setup.write_text("[ $TINYCLOUD_NODE != worker-0 ]\n")
    failed = cli("launch", "voltron", "--driver", "sticky", "--setup", str(setup))
    assert failed.code == 8
    assert failed.lines[-1] == "fix: tinycloud destroy voltron"
    assert "still there: " in failed.lines[-2]
    assert "the setup script failed on worker-0" in failed.err
    monkeypatch.setenv("ODD_FREE", "1")
    assert cli("destroy", "voltron").code == 0
    assert not state.exists()


def test_our_own_bug_is_70(cli: Cli, voltron: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is no traceback: one line names it, and one says what to do."""

    async def broken(*_: object) -> None:
        raise RuntimeError("boom \x1b[31m")

    monkeypatch.setattr(Cloud, "list", broken)
    outcome = cli("list", "voltron")
    assert "--debug" in outcome.refused(70)
    assert outcome.lines[0] == "error: tinycloud has a bug (RuntimeError: boom \\x1b[31m)"
    told = cli("list", "voltron", "--debug")
    assert told.code == 70
    assert "Traceback" in told.err
    assert "\x1b" not in told.err
    assert voltron.exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, 7),
        (errno.EMFILE, 7),
        (errno.EACCES, 7),
        (errno.EROFS, 7),
        (errno.EIO, 7),
        (errno.EBADF, 70),
        (errno.EINVAL, 70),
    ],
    ids=lambda number: errno.errorcode.get(number, number),
)
def test_errors_of_the_system(
    cli: Cli, voltron: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    """An OSError that nobody caught is this machine's, unless only a bug can cause it."""

    async def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/some/file")

    monkeypatch.setattr(Cloud, "list", failing)
    outcome = cli("list", "voltron")
    assert outcome.refused(code)
    assert os.strerror(number) in outcome.lines[0]
    assert "/some/file" in outcome.lines[0]
    assert voltron.exists()


def test_login_ends_as_the_remote_shell(cli: Cli, voltron: Path) -> None:
    """The exit status of a login is the remote shell's; a signal is 128 and its number."""

    def login(line: str) -> int:
        done = subprocess.run(
            [PROGRAM, "login", "voltron", "worker", "1"],
            input=line,
            text=True,
            capture_output=True,
            check=False,
        )
        return done.returncode

    assert login("exit 7\n") == 7
    assert login("kill -9 $$\n") == 128 + signal.SIGKILL
    assert cli("login", "voltron", "lion").code == 2
