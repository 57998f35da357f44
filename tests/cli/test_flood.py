"""One node that floods while many say a word: all are heard, in little memory, to the byte."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from openssh import Everywhere, running

from .running import MEASURED, run

MILLION = 1_000_000
MEBIBYTES = 150
"""What the program may take, whatever comes."""

# Floods until it has printed enough and is told to stop, and counts what it printed.
FLOOD = """
cd '{folder}'
[ $TINYCLOUD_NODE = master-0 ] || {{ echo a word; exit; }}
megabytes=0
until [ $megabytes -ge {least} ] && [ -e stop ]; do
    yes 'a line of the flood, as long as lines of logs often are' | head -c 1000000
    megabytes=$((megabytes + 1))
done
echo $megabytes >&2
"""


def flood(cluster: str, folder: Path, least: int) -> tuple[int, set[str]]:
    """Have the master flood until all others were heard; return its bytes, and who they are."""
    (folder / "go").mkdir()
    script = folder / "script"
    script.write_text(FLOOD.format(folder=folder / "go", least=least))
    prints = folder / "prints"
    words = ["execute", cluster, "-e", str(script), "--output-dir", str(prints)]
    others = len(json.loads(run("list", cluster, "--json").out)) - 1
    heard: set[str] = set()
    with subprocess.Popen(
        [*MEASURED, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if b"a word" in line:
                heard.add(line.partition(b": ")[0].decode())
            if len(heard) == others:
                break
        (folder / "go" / "stop").touch()
        while process.stdout.read(1 << 20):
            continue
        told = process.stderr.read().decode().splitlines()
        assert process.wait() == 0, told
    assert int(told[-1]) < MEBIBYTES
    megabytes = int((prints / "master-0.err").read_text())
    assert megabytes >= least
    assert {(prints / f"{name}.out").read_text() for name in heard} == {"a word\n"}
    return megabytes * MILLION, heard


def piece_after_piece(path: Path) -> bool:
    """Return whether a file is the flood, and nothing else, megabyte for megabyte."""
    line = b"a line of the flood, as long as lines of logs often are\n"
    piece = (line * (MILLION // len(line) + 1))[:MILLION]
    with path.open("rb") as file:
        return all(data == piece for data in iter(lambda: file.read(MILLION), b""))


def test_a_flood_drowns_nobody(voltron: Path, tmp_path: Path) -> None:
    """200 MB and more from one node hold back no other, and every byte is in its file."""
    size, heard = flood("voltron", tmp_path, 200)
    assert heard == {"worker-0", "worker-1"}
    path = tmp_path / "prints" / "master-0.out"
    assert path.stat().st_size == size
    assert piece_after_piece(path)
    assert voltron.exists()


@pytest.mark.parametrize("way", ["--json", "--gather", "--events"])
def test_a_flood_is_shown_in_little_memory(voltron: Path, tmp_path: Path, way: str) -> None:
    """However it is shown, output of 100 MB takes no such memory, and none is lost unsaid."""
    (tmp_path / "go").mkdir()
    (tmp_path / "go" / "stop").touch()
    script = tmp_path / "script"
    script.write_text(FLOOD.format(folder=tmp_path / "go", least=100))
    done = subprocess.run(
        [*MEASURED, "execute", "voltron", "-e", str(script), way],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stderr.splitlines()[-1]) < MEBIBYTES
    if way == "--json":
        results = {r["node"]: r for r in map(json.loads, done.stdout.splitlines())}
        cut = results["master-0"]["truncated"]["stdout"]
        assert len(results["master-0"]["stdout"]) + cut["bytes"] == 100 * MILLION
        assert results["worker-1"]["stdout"] == "a word\n"
        assert "truncated" not in results["worker-1"]
    elif way == "--gather":
        assert "worker-[0-1] (2):\n  a word\n" in done.stdout
        assert "bytes are left out here; --output-dir keeps all\n" in done.stdout
    else:
        events = map(json.loads, done.stdout.splitlines())
        outputs = [e for e in events if e["event"] == "output" and e["stream"] == "stdout"]
        sizes = dict.fromkeys(("master-0", "worker-0", "worker-1"), 0)
        for event in outputs:
            sizes[event["node"]] += len(event["data"])
        assert sizes == {"master-0": 100 * MILLION, "worker-0": 7, "worker-1": 7}
    assert voltron.exists()


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_ten_gigabytes_and_99_words(
    program: Callable[[str], str], state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 GB from one of a hundred machines: the others are heard at once, and all is kept."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    key = tmp_path / "key"
    key.touch(mode=0o600)
    known_hosts = tmp_path / "known_hosts"
    with running(Everywhere, program("sshd"), "AllowUsers *@127.0.0.0/8") as server:
        key.write_bytes(server.login_key)
        names = [f"[127.0.1.{number}]:{server.port}" for number in range(1, 101)]
        known_hosts.write_text("".join(f"{name} {server.host_key}\n" for name in names))
        hosts = ["--host", f"127.0.1.[1-100]:{server.port}", "--known-hosts", str(known_hosts)]
        words = ["--driver", "hosts", *hosts, "-i", str(key), "--user", server.accounts[0]]
        assert run("launch", "rack", *words).code == 0
        os.chmod(tmp_path, 0o755)
        size, heard = flood("rack", tmp_path, 10_000)
        assert run("destroy", "rack").code == 0
    assert heard == {f"worker-{index}" for index in range(99)}
    path = tmp_path / "prints" / "master-0.out"
    assert path.stat().st_size == size
    assert piece_after_piece(path)
    assert not state.exists()
