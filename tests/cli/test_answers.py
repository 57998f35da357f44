"""Answers: what goes where, and what is in it."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from .running import PROGRAM, Cli, Terminal, run, started

NODE_KEYS = [
    "name",
    "tag",
    "index",
    "id",
    "address",
    "port",
    "username",
    "status",
    "private_address",
    "launched_at",
]
RESULT_KEYS = ["node", "state", "exit_status", "stdout", "stderr", "duration", "error"]


def test_launch_answers_with_its_nodes(cli: Cli, state: Path) -> None:
    """`launch --json` is one list of nodes on stdout; how it went is on stderr."""
    launched = cli("launch", "voltron", "-n", "1", "--json")
    listed = cli("list", "voltron", "--json")
    assert launched.out == listed.out
    nodes = json.loads(launched.out)
    assert [list(node) for node in nodes] == [NODE_KEYS, NODE_KEYS]
    assert [node["name"] for node in nodes] == ["master-0", "worker-0"]
    assert {node["status"] for node in nodes} == {"running"}
    assert {type(node["port"]) for node in nodes} == {int}
    shown = [re.sub(r"\d+\.\d s", "so many s", line) for line in launched.lines]
    assert shown == [
        "driver: local (the default: neither --driver nor -k was given)",
        "started: 2 of 2 (so many s)",
        "connected: 2 of 2 (so many s)",
        "ready: 2 of 2 (so many s)",
    ]
    assert cli("destroy", "voltron").lines == ["2 nodes of 'voltron' are destroyed"]
    assert not state.exists()


def test_the_nodes_of_a_group(cli: Cli, voltron: Path) -> None:
    """`list NAME TAG` shows one group, in the order of its indices."""
    names = [node["name"] for node in json.loads(cli("list", "voltron", "worker", "--json").out)]
    assert names == ["worker-0", "worker-1"]
    rows = cli("list", "voltron", "worker").out.splitlines()
    assert [row.split()[0] for row in rows] == ["NODE", *names]
    assert voltron.exists()


def test_all_clusters(cli: Cli, voltron: Path) -> None:
    """`list` shows the clusters that are known here; without any it says so, on stderr."""
    (known,) = json.loads(cli("list", "--json").out)
    assert list(known) == ["name", "created_at", "groups"]
    assert known["groups"] == [
        {"tag": "master", "count": 1, "driver": "local"},
        {"tag": "worker", "count": 2, "driver": "local"},
    ]
    head, row = cli("list").out.splitlines()
    assert head.split() == ["CLUSTER", "DRIVER", "GROUPS", "LAUNCHED"]
    assert row.startswith("voltron  local   master x 1, worker x 2  ")
    assert voltron.exists()


def test_no_clusters(cli: Cli, state: Path) -> None:
    """An empty list is an answer in JSON, and no answer but a remark in text."""
    assert (cli("list", "--json").out, cli("list").out) == ("[]\n", "")
    assert cli("list").lines == ["no clusters"]
    assert cli("list", "--quiet").err == ""
    assert not state.exists()


def test_status_answers_with_the_state_of_each_node(cli: Cli, voltron: Path) -> None:
    """`status --json` maps names to states, in order."""
    found = json.loads(cli("status", "voltron", "--json").out)
    assert list(found.items()) == [(n, "running") for n in ("master-0", "worker-0", "worker-1")]
    assert list(json.loads(cli("status", "voltron", "worker", "--json").out)) == [
        "worker-0",
        "worker-1",
    ]
    assert voltron.exists()


def test_execute_answers_with_one_line_for_each_node(cli: Cli, voltron: Path) -> None:
    """`execute --json` is an object for each result, and nothing else is on stdout."""
    command = "echo out; echo err >&2; exit 3"
    outcome = cli("execute", "voltron", "worker", "-e", command, "--json")
    results = [json.loads(line) for line in outcome.out.splitlines()]
    assert [list(result) for result in results] == [RESULT_KEYS, RESULT_KEYS]
    assert {result["node"] for result in results} == {"worker-0", "worker-1"}
    for result in results:
        assert (result["state"], result["exit_status"]) == ("failed", 3)
        assert (result["stdout"], result["stderr"]) == ("out\n", "err\n")
        assert result["error"] == "exit status 3"
        assert 0 < result["duration"] < 60
    assert outcome.code == 1
    assert outcome.lines[-1] == "2 nodes: 2 failed"
    assert voltron.exists()


def test_bytes_that_are_no_text_come_as_base64(cli: Cli, voltron: Path) -> None:
    """Output that is not UTF-8 is given whole, under another key; the rest stays text."""
    command = r"printf '\377\000\n'; printf 'fine\r\n\033[2J' >&2"
    (line,) = cli("execute", "voltron", "master", "-e", command, "--json").out.splitlines()
    result = json.loads(line)
    assert base64.b64decode(result["stdout_base64"]) == b"\xff\x00\n"
    assert result["stdout"] is None
    assert result["stderr"] == "fine\r\n\x1b[2J"
    assert "stderr_base64" not in result
    assert line.isascii()
    assert line.isprintable()
    assert voltron.exists()


def test_results_come_as_they_arrive(voltron: Path, tmp_path: Path) -> None:
    """A node that is done is answered for while another still works."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    command = f"[ $TINYCLOUD_NODE = worker-0 ] || cat {gate}"
    with started("execute", "voltron", "worker", "-e", command, "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["node"] == "worker-0"
        assert process.poll() is None
        gate.write_text("go\n")
        last = json.loads(process.stdout.readline())
        assert (last["node"], last["stdout"]) == ("worker-1", "go\n")
        assert process.wait() == 0
    assert voltron.exists()


def test_a_plan_in_json(cli: Cli, voltron: Path) -> None:
    """The plan says what would be made, started, kept, and left although it is too much."""
    plan = json.loads(cli("launch", "voltron", "-d", "-n", "1", "--json").out)
    assert (plan["name"], plan["driver"], plan["options"]) == ("voltron", "local", {})
    assert plan["groups"] == [
        {"tag": "master", "create": [], "start": [], "keep": [0], "surplus": []},
        {"tag": "worker", "create": [], "start": [], "keep": [0], "surplus": [1]},
    ]
    grown = json.loads(cli("launch", "voltron", "-d", "-n", "4", "--json").out)
    assert grown["groups"][1]["create"] == [2, 3]
    assert voltron.exists()


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("option", ["--quiet", "-q"])
def test_quiet_stands_anywhere(cli: Cli, voltron: Path, option: str, place: int) -> None:
    """--quiet silences all but answers and errors, wherever it stands."""
    words = ["execute", "voltron", "master", "-e", "echo hi"]
    words.insert(place if place < 4 else len(words), option)
    outcome = cli(*words)
    assert (outcome.code, outcome.out, outcome.err) == (0, "master-0: hi\n", "")
    failed = cli(option, "execute", "voltron", "master", "-e", "exit 3")
    assert [line.split(":")[0] for line in failed.lines] == ["error", "fix"]
    assert voltron.exists()


def test_debug_logs_to_stderr(cli: Cli, voltron: Path) -> None:
    """--debug tells what happens, wherever it stands, and changes no answer."""
    plain = cli("status", "voltron", "--json")
    for words in (
        ("--debug", "status", "voltron", "--json"),
        ("status", "voltron", "--json", "--debug"),
    ):
        told = cli(*words)
        assert (told.code, told.out) == (0, plain.out)
        assert "DEBUG" in told.err
    assert "DEBUG" not in plain.err
    assert voltron.exists()


def test_after_two_dashes_words_are_words(cli: Cli, voltron: Path) -> None:
    """What looks like an option after `--` is none, and a command may hold the words."""
    outcome = cli("execute", "-e", "echo --quiet -q", "voltron", "master")
    assert (outcome.out, outcome.lines) == ("master-0: --quiet -q\n", ["1 node: 1 ok"])
    assert "not a cluster name" in cli("list", "--", "--quiet").err
    assert voltron.exists()


def test_no_colour_in_a_pipe(cli: Cli, voltron: Path) -> None:
    """What is not a terminal gets no escape sequence at all."""
    for words in (("list",), ("list", "voltron"), ("execute", "voltron", "-e", "echo hi")):
        outcome = cli(*words)
        assert outcome.code == 0
        assert "\x1b" not in outcome.out + outcome.err
    assert voltron.exists()


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=str,
)
def test_colour_on_a_terminal(voltron: Path, environment: dict[str, str], coloured: bool) -> None:
    """Names and states have colours on a terminal, unless NO_COLOR or a dumb one forbids them."""
    line = f"'{PROGRAM}' list voltron && '{PROGRAM}' execute voltron worker -e 'echo hi'"
    with Terminal(["sh", "-c", line], columns=120, environment=environment) as terminal:
        assert terminal.to_the_end() == 0
    assert (b"\x1b[32mrunning" in terminal.raw) is coloured
    assert (b"worker-1:\x1b[0m hi" in terminal.raw) is coloured
    assert (re.search(rb"\x1b\[[0-9;]*m", terminal.raw) is not None) is coloured
    assert b"\x1b" not in terminal.raw or "TERM" not in environment
    assert "worker-1: hi" in terminal.rows
    assert voltron.exists()


def test_a_reader_that_has_enough(voltron: Path) -> None:
    """`tinycloud ... | head -1` ends without a word, and what ran on the nodes has ended."""
    command = f"echo first; exec 2>/dev/null; while echo more; do :; done # {os.getpid()}"
    line = f"'{PROGRAM}' execute voltron worker -e '{command}' | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=True, timeout=60
    )
    first, code = done.stdout.splitlines()
    assert re.fullmatch(r"worker-[01]: first", first)
    assert (code, done.stderr) == ("141", "")
    assert voltron.exists()


def test_nobody_reads_the_list(voltron: Path) -> None:
    """A list into a closed pipe ends without a word, too."""
    line = f"'{PROGRAM}' list | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout in ("141\n", "0\n")
    assert done.stderr == ""
    assert voltron.exists()


@pytest.mark.parametrize("words", ["list", "execute voltron -e 'echo hi'"])
def test_a_disk_that_is_full(voltron: Path, words: str) -> None:
    """An answer that can't be written is an error of this machine, and not lost in silence."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = subprocess.run(
        ["sh", "-c", f"'{PROGRAM}' {words} > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7
    assert done.stderr.splitlines() == [
        "error: this machine can't go on (No space left on device)",
        "fix: free some disk space",
    ]
    assert voltron.exists()


@pytest.mark.parametrize(
    ("closed", "out", "err"),
    [("<&-", True, True), (">&-", False, True), ("2>&-", True, False), ("<&- >&- 2>&-", 0, 0)],
)
def test_streams_that_are_closed(voltron: Path, closed: str, out: bool, err: bool) -> None:
    """A stream that who starts us has closed is as good as /dev/null; no other takes its place."""
    line = f"'{PROGRAM}' execute voltron master -e 'echo hi' {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == ("master-0: hi\n" if out else "")
    assert done.stderr == ("1 node: 1 ok\n" if err else "")
    assert voltron.exists()


def test_remarks_that_nobody_reads_change_nothing(state: Path) -> None:
    """A launch whose progress nobody reads any more is a launch all the same."""
    line = f"'{PROGRAM}' launch voltron -n 1 2>&1 >/dev/null | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert state.exists()
    assert run("destroy", "voltron").code == 0
    assert not state.exists()


def test_a_terminal_of_few_letters(voltron: Path) -> None:
    """Where the locale knows no letter of a node's output, it is shown as an escape."""
    outcome = run(
        "execute", "voltron", "lion\u00fc", "-e", "true", PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert outcome.code == 2
    assert "'lion\\xfc'" in outcome.err
    assert voltron.exists()
