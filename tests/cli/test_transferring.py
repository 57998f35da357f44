"""`put` and `get` on the command line: which word is what, what is said, and how it ends."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tinycloud import Cloud, Group, InvalidInput
from tinycloud.cli.moved import Moved, size
from tinycloud.cli.transferring import GET, PUT, request
from tinycloud.drivers.local import Local
from tinycloud.ssh.files.progress import Progress

from .running import PROGRAM, Cli, Outcome, Terminal, run, started

MB = 1_000_000


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with files; one is called as a group is."""
    folder = tmp_path / "files"
    (folder / "app").mkdir(parents=True)
    for index in range(20):
        (folder / "app" / f"{index}").write_bytes(b"x" * 1000)
    for name in ("worker", "file", "4"):
        (folder / name).write_text(name)
    monkeypatch.chdir(folder)
    return folder


CLOUD = Cloud([Group("master", 1, Local()), Group("worker", 4, Local())], name="voltron")


@pytest.mark.parametrize(
    ("usage", "words", "tag", "index", "paths"),
    [
        (PUT, "file x", None, None, "file x"),
        (PUT, "worker x", None, None, "worker x"),
        (PUT, "worker file x", "worker", None, "file x"),
        (PUT, "./worker file x", None, None, "./worker file x"),
        (PUT, "worker 4 x", "worker", None, "4 x"),
        (PUT, "worker 4 file x", "worker", (4,), "file x"),
        (PUT, "worker 0-2,7 a b c x", "worker", (0, 1, 2, 7), "a b c x"),
        (PUT, "worker ./4 file x", "worker", None, "./4 file x"),
        (PUT, "worker worker x", "worker", None, "worker x"),
        (PUT, "4 file x", None, None, "4 file x"),
        (PUT, "a b x", None, None, "a b x"),
        (GET, "/var/log x", None, None, "/var/log x"),
        (GET, "worker x", None, None, "worker x"),
        (GET, "worker log x", "worker", None, "log x"),
        (GET, "worker 3 log x", "worker", (3,), "log x"),
        (GET, "worker 3 x", "worker", None, "3 x"),
    ],
)
def test_which_word_is_what(
    usage: str, words: str, tag: str | None, index: Sequence[int] | None, paths: str
) -> None:
    """A group's name is a TAG, and what looks like one an INDEX, if two paths are left."""
    found = request(words.split(), CLOUD, usage)
    assert (found.tag, found.index, found.paths) == (tag, index, tuple(paths.split()))


@pytest.mark.parametrize(
    ("usage", "words", "cause"),
    [
        (PUT, "x", "two paths are needed"),
        (PUT, "worker", "two paths are needed"),
        (GET, "x", "two paths are needed"),
        (GET, "wrker log x", "3 paths, and no group is called 'wrker' (but master, worker)"),
        (GET, "worker 3x log x", "3 paths"),
        (GET, "worker 3 log x y", "3 paths"),
    ],
)
def test_words_that_make_no_sense(usage: str, words: str, cause: str) -> None:
    """Too few words, or too many, are refused; the remedy is how the words should go."""
    with pytest.raises(InvalidInput) as raised:
        request(words.split(), CLOUD, usage)
    assert (raised.value.cause, raised.value.fix) == (cause, usage)


def test_a_word_that_could_be_both(files: Path, cli: Cli, voltron: Path) -> None:
    """A file that is called as a group is not meant, and that is said."""
    done = cli("put", "voltron", "worker", "file", "both/")
    assert done.code == 0
    assert "'worker' is taken for the group; ./worker is the file of that name" in done.err
    done = cli("put", "voltron", "./worker", "file", "both/")
    assert (done.code, "is taken for" in done.err) == (0, False)
    nodes = ("master-0", "worker-0", "worker-1")
    found = cli("execute", "voltron", "-e", "ls both").out.splitlines()
    assert sorted(found) == sorted(
        f"{node}: {name}" for node in nodes for name in ("file", "worker")
    )


def test_there_and_back(files: Path, cli: Cli, voltron: Path) -> None:
    """What is put comes back, and both say how much was moved, and how it ended."""
    put = cli("put", "voltron", "app", "there/")
    assert (put.code, put.out) == (0, "")
    assert put.lines[0].startswith("sent 60 files, 60.0 kB (")
    assert put.lines[1] == "3 nodes: 3 ok"
    again = cli("put", "voltron", "worker", "0-1", "app", "there/")
    assert again.lines[-2].startswith("sent 0 files, 0 bytes (")
    assert again.lines[-2].endswith("; unchanged: 40")
    got = cli("get", "voltron", "there/app", "back")
    assert (got.code, got.out) == (0, "")
    assert got.lines[0].startswith("got 60 files, 60.0 kB (")
    assert {path.name for path in (files / "back").iterdir()} == {
        "master-0",
        "worker-0",
        "worker-1",
    }
    assert len(list((files / "back" / "worker-1" / "app").iterdir())) == 20


def test_json(files: Path, cli: Cli, voltron: Path) -> None:
    """With --json each node's result is a line, with the keys of any result."""
    done = cli("put", "voltron", "worker", "file", "json/", "--json")
    results = [json.loads(line) for line in done.out.splitlines()]
    assert [(result["node"], result["state"]) for result in results] == [
        ("worker-0", "ok"),
        ("worker-1", "ok"),
    ]
    assert set(results[0]) == {
        *("node", "state", "exit_status", "stdout", "stderr", "duration", "error")
    }
    done = cli("get", "voltron", "worker", "nothing", "back", "--json")
    assert done.code == 1
    assert [json.loads(line)["state"] for line in done.out.splitlines()] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("words", "error", "fix"),
    [
        (
            ("put", "voltron", "file", "/proc/x/"),
            "error: 3 of 3 nodes failed (master-0,worker-[0-1]: mkdir: ",
            "fix: mend that and run it again",
        ),
        (
            ("get", "voltron", "nothing", "back"),
            "error: 3 of 3 nodes failed (master-0,worker-[0-1]: can't get nothing: no such file",
            "fix: look for it: tinycloud execute voltron -e ls",
        ),
        (
            ("put", "voltron", "file", "/etc"),
            "error: 3 of 3 nodes failed (master-0,worker-[0-1]: etc is a folder there",
            "fix: end REMOTE with / to put it into that folder",
        ),
    ],
)
def test_failures(
    files: Path, cli: Cli, voltron: Path, words: Sequence[str], error: str, fix: str
) -> None:
    """What failed is said once for all nodes, with why and what helps; the exit code is 1."""
    done = cli(*words)
    assert (done.code, done.out) == (1, "")
    assert done.lines[0].startswith(error)
    assert done.lines[1].startswith(fix)
    assert done.lines[-1] == "3 nodes: 3 failed"


@pytest.mark.parametrize(
    "words",
    [
        ("put", "voltron"),
        ("put", "voltron", "file"),
        ("put", "voltron", "nothing", "x"),
        ("put", "voltron", "wrker", "file", "x"),
        ("put", "voltron", "file", "app", "x"),
        ("put", "voltron", "file", ""),
        ("put", "voltron", "master", "9", "file", "x"),
        ("put", "voltron", "file", "x", "--limit", "0"),
        ("put", "voltron", "file", "x", "-i", "nothing"),
        ("get", "voltron"),
        ("get", "voltron", "x"),
        ("get", "voltron", "a", "b", "c"),
        ("get", "voltron", "x", "file"),
        ("get", "voltron", "x", ""),
        ("get", "voltron", "~bob/x", "back"),
    ],
)
def test_bad_input(files: Path, cli: Cli, voltron: Path, words: Sequence[str]) -> None:
    """What makes no sense is refused with exit code 2, in two lines, and nothing is touched."""
    before = sorted(files.rglob("*"))
    assert cli(*words).refused()
    assert sorted(files.rglob("*")) == before


def test_no_such_cluster(files: Path, cli: Cli) -> None:
    """A cluster that nobody knows has exit code 3."""
    for words in (("put", "nobody", "file", "x"), ("get", "nobody", "x", "back")):
        cli(*words).refused(3)


def test_names_that_play_tricks(files: Path, cli: Cli, voltron: Path) -> None:
    """Names with escapes arrive as they are, and are shown as escapes."""
    evil = "\x1b]0;title\x07\nmaster-0: all is well"
    (files / "evil").mkdir()
    (files / "evil" / evil).write_text("x")
    (files / "evil" / f"link{evil}").symlink_to("nowhere")
    done = cli("put", "voltron", "master", "evil", "tricks/")
    assert done.code == 0
    assert done.lines[0] == (
        "passed over evil/link\\x1b]0;title\\x07\\nmaster-0: all is well: a link that leads nowhere"
    )
    done = cli("get", "voltron", "master", "tricks/evil", "back")
    assert done.code == 0
    assert (files / "back" / "master-0" / "evil" / evil).read_text() == "x"


@pytest.fixture
def large(files: Path) -> Iterator[Path]:
    """A file that takes a while."""
    path = files / "large"
    with path.open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(MB))
    yield path
    path.unlink()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(large: Path, voltron: Path, number: signal.Signals, code: int) -> None:
    """A signal ends it soon, with nothing left of half a file, and says so."""
    with started("put", "voltron", "large", "interrupted/") as process:
        _await_part(voltron)
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (code, "")
    assert err.startswith("interrupted: removing what has arrived in part")
    found = run("execute", "voltron", "-e", "ls -A interrupted")
    assert (found.code, found.out) == (0, "")


def test_killed(large: Path, voltron: Path) -> None:
    """If it is killed, no node has half a file under its name, and the next run goes on."""
    with started("put", "voltron", "master", "large", "killed/") as process:
        _await_part(voltron)
        process.kill()
        process.wait()
    (left,) = run("execute", "voltron", "master", "-e", "ls -A killed").out.splitlines()
    assert left.startswith("master-0: .tinycloud-part-")
    assert run("put", "voltron", "master", "large", "killed/").code == 0
    found = run("execute", "voltron", "master", "-e", "ls -A killed; wc -c < killed/large")
    assert found.out == f"master-0: large\nmaster-0: {300 * MB}\n"


def _await_part(state: Path) -> None:
    """Wait until some node has a good part of the file."""
    while True:
        for part in state.rglob(".tinycloud-part-*"):
            if part.stat().st_size > 30 * MB:
                return


def test_progress_on_a_terminal(large: Path, voltron: Path) -> None:
    """On a terminal a line shows how much has been moved, how fast, and how long it will take."""
    with Terminal([PROGRAM, "put", "voltron", "large", "shown/"], columns=100) as terminal:
        terminal.until(" left, ")
        assert " MB of 900.0 MB, " in terminal.shown
        assert "MB/s" in terminal.shown
        assert "of 3 nodes done" in terminal.shown
        assert terminal.to_the_end() == 0
        assert terminal.rows[0].startswith("sent 3 files, 900.0 MB (")
        assert terminal.rows[1] == "3 nodes: 3 ok"


def test_quiet(files: Path, cli: Cli, voltron: Path) -> None:
    """With --quiet nothing is said where all is well."""
    assert cli("put", "voltron", "file", "x", "--quiet") == Outcome(0, "", "")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1.4, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1.5e9, "1.5 GB"),
        (2e15, "2000.0 TB"),
    ],
)
def test_sizes(number: float, text: str) -> None:
    """Sizes are given in the unit that makes them short."""
    assert size(number) == text


def test_the_sum_of_all_nodes() -> None:
    """What the nodes report is added up."""
    moved = Moved("sent")
    for node, files in (("a", 1), ("b", 2)):
        moved.note(
            Progress(node=node, files=files, of_files=2, bytes=files * 10, of_bytes=20, unchanged=3)
        )
    assert (moved.bytes, moved.of_bytes, moved.nodes()) == (30, 40, "1 of 2 nodes done")
    assert moved.summary().startswith("sent 3 files, 30 bytes (")
    assert moved.summary().endswith("; unchanged: 6")
