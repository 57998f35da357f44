"""Bad input: one line that names it, one that mends it, exit code 2, and nothing is touched."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinycloud.store import ClusterFolder, GroupRecord, Record

from .running import PROGRAM, Cli, snapshot

COMMANDS = {
    "launch": ("launch", "{}"),
    "plan": ("launch", "-d", "{}"),
    "list": ("list", "{}"),
    "status": ("status", "{}"),
    "execute": ("execute", "{}", "-e", "true"),
    "login": ("login", "{}"),
    "start": ("start", "{}"),
    "stop": ("stop", "{}"),
    "destroy": ("destroy", "{}"),
}
TO_CONNECT = ("launch", "execute", "login", "start")
TO_LOOK = ("list", "status", "plan")

BAD_NAMES = {
    "empty": "",
    "slash": "a/b",
    "absolute": "/etc",
    "up": "..",
    "up within": "a..b",
    "hidden": ".a",
    "NUL": "a\0b",
    "newline": "a\nb",
    "newline at the end": "voltron\n",
    "ESC": "a\x1b]0;x\x07b",
    "long": "x" * 64,
    "very long": "x" * 100_000,
    "star": "a*",
    "question": "a?b",
    "space": "a b",
    "not ASCII": "wörker",
    "digits of another script": "٣",
    "separator": "a\u2028b",
    "no text at all": "a\udcffb",
    "markup": "[red]x[/red]",
}


def words(command: str, name: str) -> list[str]:
    """Return the words of a command on the cluster of this name."""
    return [word.format(name) if word == "{}" else word for word in COMMANDS[command]]


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
@pytest.mark.parametrize("command", COMMANDS)
def test_names_that_nothing_can_have(
    cli: Cli, tmp_path: Path, state: Path, command: str, name: str
) -> None:
    """A name that can't be one is refused by every command, in printable words."""
    before = snapshot(tmp_path)
    outcome = cli(*words(command, name))
    assert "letters, digits" in outcome.refused()
    assert outcome.err.replace("\n", "").isprintable()
    assert len(outcome.err) < 500
    assert "no cluster" not in outcome.err
    assert (snapshot(tmp_path), state.exists()) == (before, False)


@pytest.mark.parametrize("command", COMMANDS)
def test_names_that_begin_with_a_dash(cli: Cli, tmp_path: Path, command: str) -> None:
    """A dash at the beginning is refused as an option and, after `--`, as a name."""
    before = snapshot(tmp_path)
    option = [*words(command, "-x")]
    assert cli(*option).refused()
    first, *rest = COMMANDS[command]
    rest = [word for word in rest if word != "{}"]
    assert "letters, digits" in cli(first, *rest, "--", "-x").refused()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("tag", BAD_NAMES.values(), ids=BAD_NAMES)
@pytest.mark.parametrize("command", ["list", "status", "execute", "login"])
def test_tags_that_nothing_can_have(cli: Cli, voltron: Path, command: str, tag: str) -> None:
    """A tag that can't be one is refused like a name, also where the cluster exists."""
    before = snapshot(voltron)
    first, *rest = words(command, "voltron")
    outcome = cli(first, rest[0], tag, *rest[1:])
    assert "letters, digits" in outcome.refused()
    assert outcome.err.replace("\n", "").isprintable()
    assert snapshot(voltron) == before


@pytest.mark.parametrize("command", ["list", "status", "execute", "login"])
def test_a_tag_that_no_group_has(cli: Cli, voltron: Path, command: str) -> None:
    """An unknown group is refused, and those that exist are named."""
    first, *rest = words(command, "voltron")
    assert cli(first, rest[0], "lion", *rest[1:]).refused() == "take one of: master, worker"
    assert (voltron / "clusters" / "voltron").is_dir()


BAD_INDICES = {
    "backwards": "5-2",
    "a word": "x",
    "nothing": "",
    "open": "1-",
    "negative": "-1",
    "a gap": "1,,2",
    "a space": "1, 2",
    "a fraction": "1.5",
    "another script": "٣",
    "superscript": "²",
    "huge": "99999999999999999999",
    "a huge range": "0-99999999999",
    "escapes": "1\x1b[2J",
}


@pytest.mark.parametrize("index", BAD_INDICES.values(), ids=BAD_INDICES)
@pytest.mark.parametrize("command", ["execute", "login"])
def test_indices_that_nothing_can_have(cli: Cli, voltron: Path, command: str, index: str) -> None:
    """What is no number, no range and no list of those is refused."""
    before = snapshot(voltron)
    ending = ["-e", "true"] if command == "execute" else []
    outcome = cli(command, *ending, "--", "voltron", "worker", index)
    assert outcome.refused() == "write 4, 0-3 or 0-3,7"
    assert outcome.err.replace("\n", "").isprintable()
    assert snapshot(voltron) == before


@pytest.mark.parametrize("index", ["2", "99", "0-2", "0,7"])
def test_an_index_that_does_not_exist(cli: Cli, voltron: Path, index: str) -> None:
    """A node that is not there is named, and so are those that are."""
    outcome = cli("execute", "voltron", "worker", index, "-e", "true")
    assert outcome.refused() == "take an index from 0 to 1"
    assert "no node worker-" in outcome.err
    assert voltron.exists()


def test_login_is_to_one_node(cli: Cli, voltron: Path) -> None:
    """A set of nodes is nothing to log in to."""
    assert cli("login", "voltron", "worker", "0-1").refused() == "give a single INDEX"
    assert cli("login", "voltron", "worker", "7").refused() == "take an index from 0 to 1"
    assert voltron.exists()


@pytest.mark.parametrize(
    "ending",
    [
        ("-n", "-1"),
        ("-n", "x"),
        ("-n", "1.5"),
        ("-n", "99999999999"),
        ("-n", ""),
        ("--min", "-1"),
        ("-s", "0"),
        ("-p", "0"),
        ("-p", "65536"),
        ("--driver", ""),
        ("--driver", "no such\x1b[2J"),
        ("--setup", "/none"),
        ("--authorize", "/none"),
        ("--nonsense",),
        ("more", "words"),
    ],
    ids=" ".join,
)
def test_options_of_launch_that_make_no_sense(
    cli: Cli, tmp_path: Path, ending: tuple[str, ...]
) -> None:
    """A launch that can't be meant is refused before anything exists."""
    before = snapshot(tmp_path)
    outcome = cli("launch", "voltron", "--quiet", *ending)
    assert outcome.refused()
    assert outcome.err.replace("\n", "").isprintable()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "ending",
    [
        (),
        ("-e", ""),
        ("-e", " \n"),
        ("-e", "a\0b"),
        ("-e", "true", "--timeout", "0"),
        ("-e", "true", "--timeout", "-1"),
        ("-e", "true", "--timeout", "nan"),
        ("-e", "true", "--limit", "0"),
        ("-e", "true", "--limit", "x"),
    ],
    ids=repr,
)
def test_commands_that_make_no_sense(cli: Cli, voltron: Path, ending: tuple[str, ...]) -> None:
    """A command that can't be run is refused before any node hears of it."""
    before = snapshot(voltron)
    assert cli("execute", "voltron", *ending).refused()
    assert snapshot(voltron) == before


def test_a_command_file_that_cannot_be_read(voltron: Path, tmp_path: Path) -> None:
    """A file without permission is an error, not a command of that name."""
    script = tmp_path / "script"
    script.write_text("true")
    script.chmod(0)
    done = subprocess.run(
        [PROGRAM, "execute", "voltron", "-e", str(script)],
        preexec_fn=_as_anybody,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: can't read {script} (Permission denied)",
        "fix: give a file that you may read, or a command",
    ]
    assert voltron.exists()


def _as_anybody() -> None:
    """Let permissions count for us too, as they do for everybody but root."""
    if os.geteuid() == 0:
        import ctypes

        drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE and _READ_SEARCH
        for capability in (override, search):
            ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


# Key files ---------------------------------------------------------------------------


def _key(path: Path, content: str, mode: int) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


BAD_KEYS: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing": (lambda p: str(p / "none"), "No such file or directory"),
    "a folder": (str, "Is a directory"),
    "world-readable": (lambda p: _key(p / "k", "PRIVATE KEY", 0o644), "its mode is 0644"),
    "group-readable": (lambda p: _key(p / "k", "PRIVATE KEY", 0o640), "its mode is 0640"),
    "empty": (lambda p: _key(p / "k", "", 0o600), "no PEM block in it"),
    "public": (lambda p: _key(p / "k", "ssh-ed25519 AAAA", 0o600), "it is a public key"),
}


@pytest.mark.parametrize(("make", "cause"), BAD_KEYS.values(), ids=BAD_KEYS)
@pytest.mark.parametrize("command", ["execute", "login"])
def test_key_files_that_cannot_be_used(
    cli: Cli, voltron: Path, tmp_path: Path, command: str, make: Callable[[Path], str], cause: str
) -> None:
    """A key that can't be read, or that others can read, is refused and goes to no node."""
    path = make(tmp_path)
    before = snapshot(voltron)
    outcome = cli(*words(command, "voltron"), "-i", path)
    assert outcome.refused()
    assert cause in outcome.err
    assert snapshot(voltron) == before


def test_a_damaged_key_file(cli: Cli, voltron: Path, tmp_path: Path) -> None:
    """A key that is cut short lets nobody in, and is told from a node that can't be reached."""
    key = _key(tmp_path / "key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", 0o600)
    assert "private key" in cli("login", "voltron", "-i", key).refused()
    assert voltron.exists()


def test_the_remedy_for_an_open_key_file_helps(cli: Cli, voltron: Path, tmp_path: Path) -> None:
    """After the command that the error gives, the key is good."""
    key = tmp_path / "key"
    key.write_bytes((voltron / "clusters" / "voltron" / "key").read_bytes())
    key.chmod(0o644)
    fix = cli("execute", "voltron", "-e", "true", "-i", str(key)).refused()
    assert shlex.split(fix) == ["chmod", "600", str(key)]
    subprocess.run(shlex.split(fix), check=True)
    assert cli("execute", "voltron", "-e", "true", "-i", str(key)).code == 0


def test_a_key_file_without_permission(voltron: Path, tmp_path: Path) -> None:
    """A key that the user may not read is named."""
    key = tmp_path / "key"
    key.write_text("x")
    key.chmod(0)
    done = subprocess.run(
        [PROGRAM, "execute", "voltron", "-e", "true", "-i", str(key)],
        preexec_fn=_as_anybody,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: can't read key file {key} (Permission denied)\nfix: ")
    assert voltron.exists()


# The state folder --------------------------------------------------------------------


def _record(name: str) -> Record:
    groups = tuple(GroupRecord(tag=tag, count=1, driver="local") for tag in ("master", "worker"))
    return Record(name=name, generation="1", created_at="2026-11-22T11:40:13+00:00", groups=groups)


@pytest.fixture
def recorded(state: Path) -> Path:
    """A cluster that is known here and has no machines; return its folder."""
    folder = ClusterFolder("voltron")
    with folder.locked():
        folder.make_login_key()
        folder.write_record(_record("voltron"))
        folder.pin("i-1", " ".join(folder.make_login_key().public.split()[:2]))
    return state / "clusters" / "voltron"


def _elsewhere(path: Path) -> None:
    other = path.with_name(f"{path.name}-elsewhere")
    path.rename(other)
    path.symlink_to(other)


def _back(path: Path) -> None:
    path.unlink()
    path.with_name(f"{path.name}-elsewhere").rename(path)


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["cluster", "clusters", "state"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_state_folder_that_leads_elsewhere(
    cli: Cli, tmp_path: Path, recorded: Path, command: str, depth: int
) -> None:
    """A symlink is not followed, at any depth; with a real folder in its place all is well."""
    folder = (recorded, *recorded.parents)[depth]
    _elsewhere(folder)
    before = snapshot(tmp_path)
    outcome = cli(*words(command, "voltron"))
    assert "put a real folder in its place" in outcome.refused()
    assert f"unusable state: {folder} (it is a symlink to " in outcome.err
    assert snapshot(tmp_path) == before
    _back(folder)
    assert cli("list", "voltron").code == 0


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["cluster", "clusters", "state"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_state_folder_that_others_may_write_to(
    cli: Cli, tmp_path: Path, recorded: Path, command: str, depth: int
) -> None:
    """Where others could meddle nothing is done; the remedy is a command, and it helps."""
    folder = (recorded, *recorded.parents)[depth]
    folder.chmod(0o777)
    before = snapshot(tmp_path)
    fix = cli(*words(command, "voltron")).refused()
    assert snapshot(tmp_path) == before
    assert shlex.split(fix) == ["chmod", "go-w", str(folder)]
    subprocess.run(shlex.split(fix), check=True)
    assert cli("list", "voltron").code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_state_folder_of_another_user(
    cli: Cli,
    tmp_path: Path,
    recorded: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another user's folder is left alone; in a folder of one's own all is well."""
    os.chown(recorded.parent.parent, 12345, 12345)
    before = snapshot(tmp_path)
    fix = cli(*words(command, "voltron")).refused()
    assert fix == "set TINYCLOUD_STATE_DIR to a folder of your own"
    assert snapshot(tmp_path) == before
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", str(tmp_path / "own"))
    assert cli("list").code == 0


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["cluster", "clusters", "state"])
@pytest.mark.parametrize("command", ["launch", "start", "stop", "destroy"])
def test_a_state_folder_that_is_read_only(
    cli: Cli, tmp_path: Path, recorded: Path, command: str, depth: int
) -> None:
    """Who wants to write is told how to allow that; who only looks is let look."""
    folder = (recorded, *recorded.parents)[depth]
    folder.chmod(0o500)
    before = snapshot(tmp_path)
    if command in ("start", "stop"):  # there is nothing to start or stop, but a record
        outcome = cli(*words(command, "voltron"))
    outcome = cli(*words(command, "voltron"), "--quiet")
    fix = outcome.refused()
    assert snapshot(tmp_path) == before
    assert all(cli(*words(look, "voltron")).code == 0 for look in TO_LOOK)
    assert shlex.split(fix) == ["chmod", "u+w", str(folder)]
    subprocess.run(shlex.split(fix), check=True)
    assert cli("destroy", "voltron").code == 0


def test_a_state_folder_where_nothing_can_be_made(cli: Cli, tmp_path: Path) -> None:
    """Where no folder can be made, no cluster is launched."""
    (tmp_path / "state").touch()
    before = snapshot(tmp_path)
    assert "TINYCLOUD_STATE_DIR" in cli("launch", "voltron", "--quiet").refused()
    assert snapshot(tmp_path) == before


def test_the_list_of_all_clusters_refuses_as_well(cli: Cli, recorded: Path) -> None:
    """A folder that can't be trusted is an error also for who asks for no cluster by name."""
    recorded.parent.chmod(0o777)
    assert cli("list").refused() == f"chmod go-w {recorded.parent}"


# State files -------------------------------------------------------------------------


def _check_cut(cli: Cli, command: str, path: Path, whole: bytes, length: int) -> None:
    path.write_bytes(whole[:length])
    before = snapshot(path.parents[3])
    outcome = cli(*words(command, "voltron"))
    assert outcome.refused().startswith(f"rm {path}, then run the same 'tinycloud launch ")
    assert "no cluster" not in outcome.err
    assert snapshot(path.parents[3]) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_record_cut_short(cli: Cli, recorded: Path, command: str) -> None:
    """A record that was cut is damaged: no command takes it for no cluster, or touches it."""
    path = recorded / "record.json"
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 2, len(whole) - 1):
        _check_cut(cli, command, path, whole, length)


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_record_cut_at_every_byte(cli: Cli, recorded: Path, command: str) -> None:
    """There is no byte at which a record can be cut without every command noticing."""
    path = recorded / "record.json"
    whole = path.read_bytes()
    for length in range(len(whole)):
        _check_cut(cli, command, path, whole, length)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_record_of_a_newer_version(
    cli: Cli, tmp_path: Path, recorded: Path, command: str
) -> None:
    """What a newer tinycloud wrote is left to a newer tinycloud."""
    path = recorded / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}) + "\n")
    before = snapshot(tmp_path)
    assert cli(*words(command, "voltron")).refused() == "upgrade tinycloud"
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["record.json", "key", "pins/i%2D1"])
@pytest.mark.parametrize("command", TO_CONNECT)
def test_a_file_of_100_megabytes(
    cli: Cli, tmp_path: Path, recorded: Path, command: str, name: str
) -> None:
    """A file that nobody can have written is not read into memory."""
    path = recorded / name.replace("%2D", "-")
    os.truncate(path, 100_000_000)
    before = snapshot(tmp_path, content=False)
    outcome = cli(*words(command, "voltron"))
    assert outcome.refused()
    assert f"{path} (100000000 bytes, 1048576 at most)" in outcome.err
    assert snapshot(tmp_path, content=False) == before


@pytest.mark.parametrize("name", ["key", "pins/i-1"])
@pytest.mark.parametrize("command", TO_CONNECT)
def test_keys_cut_short(cli: Cli, tmp_path: Path, recorded: Path, command: str, name: str) -> None:
    """Who would connect with a damaged key, or to a host by half of its key, is stopped before."""
    path = recorded / name
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        before = snapshot(tmp_path)
        outcome = cli(*words(command, "voltron"))
        assert outcome.refused()
        assert f"unusable state: {path} (the " in outcome.err
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["key", "pins/i-1"])
def test_a_cluster_with_damaged_keys_can_be_destroyed(
    cli: Cli, state: Path, recorded: Path, name: str
) -> None:
    """What needs no key goes on without: so there is always a way out."""
    (recorded / name).write_bytes(b"")
    assert all(cli(*words(command, "voltron")).code == 0 for command in ("list", "status"))
    assert cli("destroy", "voltron").code == 0
    assert not state.exists()


def test_one_damaged_record_does_not_hide_the_others(cli: Cli, recorded: Path) -> None:
    """The list of clusters shows those that can be read, names the other, and says so."""
    lion = ClusterFolder("lion")
    with lion.locked():
        lion.write_record(_record("lion"))
    (recorded / "record.json").write_bytes(b"{")
    outcome = cli("list")
    assert outcome.code == 2
    assert "lion" in outcome.out
    assert [line.split(":")[0] for line in outcome.lines] == ["error", "fix"]
    assert "cluster 'voltron' is damaged" in outcome.err
    assert [known["name"] for known in json.loads(cli("list", "--json").out)] == ["lion"]


def test_the_remedies_for_damaged_files_help(cli: Cli, state: Path) -> None:
    """After a record, a pin or both are lost, what the errors say gets the same nodes back."""
    assert cli("launch", "voltron", "-n", "1").code == 0
    try:
        ids = [node["id"] for node in json.loads(cli("list", "voltron", "--json").out)]
        folder = state / "clusters" / "voltron"
        os.truncate(folder / "record.json", 10)
        os.truncate(folder / "pins" / ids[0], 10)
        fix = cli("execute", "voltron", "-e", "true").refused()
        first, _, rest = fix.partition(", then run the same ")
        assert rest.startswith("'tinycloud launch voltron' again")
        subprocess.run(shlex.split(first), check=True)
        remove, _, _ = cli("execute", "voltron", "-e", "true").refused().partition(", if ")
        subprocess.run(shlex.split(remove), check=True)
        assert cli("launch", "voltron", "-n", "1").code == 0
        assert cli("execute", "voltron", "-e", "true").code == 0
        assert [node["id"] for node in json.loads(cli("list", "voltron", "--json").out)] == ids
        assert (folder / "pins" / ids[0]).read_text().startswith("ssh-ed25519 ")
    finally:
        assert cli("destroy", "voltron").code == 0
    assert not state.exists()
