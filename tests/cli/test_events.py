"""Output and events in JSON: all of it, as it happens, in bounded memory."""

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tinycloud.cli import json_text, kept
from tinycloud.node import Node, Status
from tinycloud.result import Result, State

from .running import PATIENCE, Cli, Gate, started


def parsed(text: str) -> list[dict[str, Any]]:
    """Return the objects of these lines."""
    return [json.loads(line) for line in text.splitlines()]


def printed(events: list[dict[str, Any]], node: str, stream: str) -> bytes:
    """Return all that a node printed on a stream."""
    return b"".join(
        base64.b64decode(event["data_base64"]) if event["data"] is None else event["data"].encode()
        for event in events
        if (event["event"], event.get("node"), event.get("stream")) == ("output", node, stream)
    )


def test_events_tell_all_that_happens(cli: Cli, voltron: Path) -> None:
    """Who it will be, who is connected, what they print, how they end, and the sum of it."""
    command = r"printf 'one\ntwo\n\377'; printf 'no end' >&2; test $TINYCLOUD_NODE = worker-1"
    outcome = cli("execute", "voltron", "worker", "-e", command, "--events")
    events = parsed(outcome.out)
    assert outcome.code == 1
    assert list(events[0]) == ["event", "time", "nodes"]
    assert (events[0]["event"], events[0]["nodes"]) == ("start", ["worker-0", "worker-1"])
    for node in ("worker-0", "worker-1"):
        own = [event["event"] for event in events if event.get("node") == node]
        assert (own[0], own[-1]) == ("connected", "result")
        assert set(own[1:-1]) == {"output"}
        assert printed(events, node, "stdout") == b"one\ntwo\n\xff"
        assert printed(events, node, "stderr") == b"no end"
    results = {event["node"]: event for event in events if event["event"] == "result"}
    keys = ["event", "time", "node", "state", "exit_status", "duration", "error"]
    assert [list(result) for result in results.values()] == [keys, keys]
    assert (results["worker-0"]["state"], results["worker-0"]["exit_status"]) == ("failed", 1)
    assert list(events[-1]) == ["event", "time", "nodes", "counts", "unfinished"]
    assert events[-1]["counts"] == {"ok": 1, "failed": 1}
    assert (events[-1]["nodes"], events[-1]["unfinished"]) == (2, [])
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert voltron.exists()


def test_events_come_as_they_happen(voltron: Path, gate: Gate) -> None:
    """Lines are there while the command runs; Ctrl-C loses none, and says whom it ended."""
    command = f"printf 'line\\nbegun'; {gate.script}"
    with started("execute", "voltron", "worker", "0", "-e", command, "--events") as process:
        assert process.stdout is not None
        kinds = [json.loads(process.stdout.readline())["event"] for _ in range(2)]
        assert kinds == ["start", "connected"]
        line = json.loads(process.stdout.readline())
        assert (line["event"], line["data"]) == ("output", "line\n")
        gate.reached()
        os.kill(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
    begun, result, summary = parsed(rest)
    assert begun["data"] == "begun"
    assert (result["state"], result["exit_status"]) == ("signalled", None)
    assert (summary["counts"], summary["unfinished"]) == ({"signalled": 1}, [])
    assert voltron.exists()


def test_a_letter_is_whole_however_it_comes(cli: Cli, voltron: Path) -> None:
    """Text that comes in pieces, cut through its letters, is text."""
    command = (
        r"printf '\342\202'; sleep 0.2; printf '\254 \360\237'; sleep 0.2; printf '\230\200\n'"
    )
    outcome = cli("execute", "voltron", "master", "-e", command, "--events")
    (output,) = (event for event in parsed(outcome.out) if event["event"] == "output")
    assert output["data"] == "€ 😀\n"
    assert voltron.exists()


def test_doubt_is_a_key_of_its_own() -> None:
    """Whether a command may still be running can be read from its result, where that is so."""
    node = Node(tag="worker", index=0, id="i", status=Status.RUNNING)
    sure = json_text.of_result(Result(node=node, state=State.TIMEOUT, error="late"))
    doubtful = Result(node=node, state=State.TIMEOUT, error="late", confirmed=False)
    assert json_text.of_result(doubtful) == {**sure, "confirmed": False}
    assert "confirmed" not in sure


@pytest.mark.parametrize("size", [999, 1000, 1001, 5000])
def test_json_says_what_it_leaves_out(
    cli: Cli, voltron: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Of long output a result holds both ends, and where how much is missing; else no more keys."""
    monkeypatch.setattr(kept.Memory.__init__, "__defaults__", (10_000, 1000))
    command = f"head -c {size} /dev/zero | tr '\\0' x; echo err >&2"
    (result,) = parsed(cli("execute", "voltron", "master", "-e", command, "--json").out)
    assert result["stderr"] == "err\n"
    assert len(result["stdout"]) == min(size, 1000)
    missing = {"stdout": {"after": 500, "bytes": size - 1000}}
    assert result.get("truncated") == (missing if size > 1000 else None)
    assert voltron.exists()


def test_the_nodes_that_failed_can_be_named_again(cli: Cli, voltron: Path) -> None:
    """Those that failed last are tried alone, and are fewer the more of them succeed."""
    path = voltron / "clusters" / "voltron" / "failed"
    path.unlink(missing_ok=True)
    again = ("execute", "voltron", "--retry-failed", "-q", "-e")
    assert cli(*again, "true").refused() == "leave out --retry-failed"
    failing = "case $TINYCLOUD_NODE in worker-*) exit 1;; esac"
    assert cli("execute", "voltron", "-q", "-e", failing).code == 1
    assert cli("execute", "voltron", "-q", "-e", "true").code == 0
    assert path.read_text().splitlines()[1] == "worker-[0-1]"
    assert path.stat().st_mode & 0o777 == 0o600
    retried = cli(*again, "echo again; test $TINYCLOUD_NODE = worker-0")
    assert sorted(retried.out.splitlines()) == ["worker-0: again", "worker-1: again"]
    assert path.read_text().splitlines()[1] == "worker-1"
    assert cli("execute", "voltron", "-q", "-e", "exit 1").code == 1
    assert cli("execute", "voltron", "worker", "0", "--retry-failed", "-q", "-e", "true").code == 0
    assert cli("execute", "voltron", "master", "--retry-failed", "-q", "-e", "true").code == 0
    assert path.read_text().splitlines()[1] == "worker-1"
    other = cli("execute", "voltron", "worker", "0", "--retry-failed", "-q", "-e", "true")
    assert other.refused() == "leave out --retry-failed"
    assert "(those that failed are worker-1)" in other.err
    last = cli("execute", "voltron", "worker", "1", "--retry-failed", "-q", "-e", "echo last")
    assert last.out == "worker-1: last\n"
    assert cli(*again, "true").refused()
    assert voltron.exists()


def test_a_damaged_list_of_failures(cli: Cli, voltron: Path) -> None:
    """What can't be read is told with its path and a remedy; of another cluster it is of no use."""
    path = voltron / "clusters" / "voltron" / "failed"
    path.write_bytes(b"\xff")
    path.chmod(0o600)
    words = ("execute", "voltron", "--retry-failed", "-e", "true")
    assert cli(*words).refused() == f"rm {path}"
    path.write_text("another generation\nworker-0\n")
    assert cli(*words).refused() == "leave out --retry-failed"
    path.unlink()


def test_nodes_can_be_left_out_and_picked(cli: Cli, voltron: Path) -> None:
    """-x takes nodes away from those chosen, --pick takes some of the rest; none is no choice."""
    words = ("execute", "voltron", "-q", "-e", "echo on")
    assert cli(*words, "-x", "worker-[0-1]").out == "master-0: on\n"
    assert cli(*words, "--exclude", "master-0", "-x", "worker-0,master-0").out == "worker-1: on\n"
    rest = cli("execute", "voltron", "worker", "0-1", "-q", "-e", "echo on", "-x", "worker-0")
    assert rest.out == "worker-1: on\n"
    picked = {cli(*words, "-x", "master-0", "--pick", "1").out for _ in range(20)}
    assert picked <= {"worker-0: on\n", "worker-1: on\n"}
    assert len(cli(*words, "--pick", "5").out.splitlines()) == 3
    assert cli(*words, "-x", "master-0,worker-[0-1]").refused().startswith("exclude fewer")
    assert cli(*words, "-x", "worker-9").refused() == "name some of: master-0,worker-[0-1]"
    assert cli(*words, "-x", "worker-[").refused()
    assert cli(*words, "--pick", "0").refused()
    assert voltron.exists()
