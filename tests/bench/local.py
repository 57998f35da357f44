"""What the local driver and the SSH client cost, as ratios from one run.

    python tests/bench/local.py [--rounds 5] [--many 500]

Each line says what was measured, what it is held against, and the ratio that the
project promises. Nothing here is a test: a busy machine must not fail a build.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import psutil
from bare import answer, options

from tinycloud import Cloud, Group, Node
from tinycloud.drivers.local import Local
from tinycloud.ssh.connections import HANDSHAKES
from tinycloud.ssh.leash import leashed
from tinycloud.store import ClusterFolder
from tinycloud.store.folder import state_folder

TYPER_PROGRAM = """
import typer
app = typer.Typer()
@app.command()
def one() -> None: ...
@app.command()
def two() -> None: ...
app()
"""


def report(what: str, measured: float, against: str, base: float, promised: str) -> None:
    """Print one line of the table."""
    print(
        f"{what:<34} {measured:9.3f}  {against:<34} {base:9.3f}  {measured / base:6.2f}  {promised}"
    )


def command(*words: str) -> float:
    """Return the seconds that a command took; it must succeed."""
    begun = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - begun


def tinycloud(*words: str) -> float:
    """Return the seconds that a tinycloud command took."""
    return command(sys.executable, "-m", "tinycloud", *words)


def median(measure: Callable[[], float], times: int) -> float:
    """Return the median of several measurements, the first (cold caches) left out."""
    measure()
    return statistics.median(measure() for _ in range(times))


def start_up(rounds: int) -> None:
    """Measure `tinycloud --help` against a Typer program that does nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(TYPER_PROGRAM)
        file.flush()
        base = median(lambda: command(sys.executable, file.name, "--help"), rounds)
    ours = median(lambda: tinycloud("--help"), rounds)
    report("tinycloud --help, s", ours, "two-command Typer program, s", base, "<= 2")


def launches(rounds: int) -> None:
    """Measure launching 50 nodes against launching 1, from the command line."""

    def launch(workers: int) -> float:
        seconds = tinycloud("launch", "bench", "-n", str(workers))
        tinycloud("destroy", "bench")
        return seconds

    one = median(lambda: launch(0), rounds)
    fifty = median(lambda: launch(49), rounds)
    report("launch 50 local nodes, s", fifty, "launch 1, s", one, "<= 2.5")


def proportional_memory(state: Path) -> float:
    """Return the mean PSS, in MB, of the processes of the nodes kept in this folder."""
    pids = [json.loads(file.read_text())["pid"] for file in state.glob("local/**/node.json")]
    return statistics.mean(psutil.Process(pid).memory_full_info().pss / 1e6 for pid in pids)


async def bare(nodes: tuple[Node, ...], key: asyncssh.SSHKey, line: str) -> float:
    """Return the seconds that a gather over asyncssh takes: connect, run, close."""
    window = asyncio.Semaphore(HANDSHAKES)

    def given(node: Node) -> dict[str, Any]:
        return options(
            port=node.port, username=node.username, host_key=node.host_key or "", key=key
        )

    async def one(node: Node) -> None:
        async with window:
            connection = await asyncssh.connect(node.address or "", **given(node))
        async with connection:
            await answer(connection, line)

    begun = time.perf_counter()
    await asyncio.gather(*(one(node) for node in nodes))
    return time.perf_counter() - begun


async def executions(rounds: int) -> None:
    """Measure `execute` on 50 nodes against a bare gather over asyncssh."""
    local = Local()
    cloud = Cloud([Group("worker", 50, local)], name="bench")
    nodes = (await cloud.launch())["worker"]
    stored = ClusterFolder("bench").login_key()
    assert stored is not None
    key = asyncssh.import_private_key(stored.private)
    command = "echo ok"
    times: dict[str, list[float]] = {"ours": [], "bare": [], "leashed": []}
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        (await cloud.execute(command)).check()
        times["ours"].append(time.perf_counter() - begun)
        times["bare"].append(await bare(nodes, key, command))
        times["leashed"].append(await bare(nodes, key, leashed(command, {})))
    found = {name: statistics.median(values[1:]) for name, values in times.items()}
    report("execute on 50 nodes, s", found["ours"], "bare gather, s", found["bare"], "<= 1.2")
    report("execute on 50 nodes, s", found["ours"], "the same line, s", found["leashed"], "<= 1.2")
    print(f"idle node, PSS at 50 nodes: {proportional_memory(state_folder()):.1f} MB (<= 10)")
    await cloud.destroy()


async def many(count: int) -> None:
    """Launch many nodes, have each answer, and destroy them."""
    cloud = Cloud([Group("worker", count, Local())], name="bench-many")
    begun = time.perf_counter()
    await cloud.launch()
    launched = time.perf_counter()
    results = await cloud.execute("echo $TINYCLOUD_NODE")
    assert {result.text.strip() for result in results} == {f"worker-{i}" for i in range(count)}
    executed = time.perf_counter()
    await cloud.destroy()
    gone = time.perf_counter()
    print(
        f"{count} nodes: launched in {launched - begun:.1f} s, "
        f"answered in {executed - launched:.1f} s, gone in {gone - executed:.1f} s"
    )


def main() -> None:
    """Run everything in a state folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each thing")
    parser.add_argument("--many", type=int, default=500, help="nodes of the large cluster")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TINYCLOUD_STATE_DIR"] = f"{folder}/state"
        start_up(chosen.rounds)
        launches(chosen.rounds)
        asyncio.run(executions(chosen.rounds))
        asyncio.run(many(chosen.many))


if __name__ == "__main__":
    main()
