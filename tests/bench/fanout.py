"""What it takes to run a command on many machines, beside what others take: from one run.

    python tests/bench/fanout.py [--nodes 32,128,512] [--rounds 3] [--open 1000]
                                 [--only NAME,...] [--chart FILE.svg]

One sshd answers on many loopback addresses, each of which stands for a machine. All
run the same command on all of them, one contender after the other and then again, with
64 connections being made at once; every answer is checked. Whoever is not installed is
left out: `pip install '.[bench]'` and `apt install clustershell pdsh ansible-core`
bring them. Nothing here is a test: a busy machine must not fail a build.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from answers import check
from chart import chart
from openssh import OpenSSH
from programs import PROGRAMS, Program, hang_up, is_installed
from rack import Rack, rack, server, settle, sshd_program
from table import PROMISED, Taken, promises, table

HERE = Path(__file__).parent
WARM_ROUNDS = 7

LIBRARIES = {
    "tinycloud library": "tinycloud",
    "bare asyncssh": "asyncssh",
    "parallel-ssh": "pssh",
    "fabric": "fabric",
}
"""Contenders of `libraries.py`, and what each of them imports."""

Run = Callable[[], Taken]


def timed(
    *command: str, folder: Path, environment: dict[str, str] | None = None
) -> tuple[dict[str, float], str]:
    """Run a command, which must succeed; return what it took and what it printed."""
    report, errors = folder / "report", folder / "errors"
    with errors.open("w") as stderr:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(HERE / "timed.py"), str(report), *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | (environment or {}),
        )
    found: dict[str, float] = json.loads(report.read_text())
    assert found.pop("status") == 0, f"{command[:3]}: {errors.read_text()[-2000:]}"
    return found, done.stdout


def by_library(name: str, one: Path, many: Path, folder: Path) -> Taken:
    """Measure a library, in a process of its own."""
    command = [sys.executable, str(HERE / "libraries.py"), name, str(one), str(many)]
    whole, printed = timed(*command, str(WARM_ROUNDS), folder=folder)
    found = json.loads(printed)
    return Taken(
        seconds=found["seconds"],
        processor=found["processor"],
        memory=whole["memory"],
        warm_seconds=found["warm seconds"],
        warm_processor=found["warm processor"],
    )


def by_program(program: Program, rack: Rack, folder: Path) -> Taken:
    """Measure a program, and once more if it has left connections for that."""
    run = partial(timed, *program.command, folder=folder, environment=dict(program.environment))
    found, printed = run()
    check(printed, rack.addresses)
    taken = Taken(**found)
    if program.sockets:
        found, printed = run()
        check(printed, rack.addresses)
        taken = replace(taken, warm_seconds=found["seconds"], warm_processor=found["processor"])
    hang_up(program)
    return taken


def contenders(one: Rack, many: Rack, folder: Path) -> Iterator[tuple[str, Run]]:
    """Yield whoever is installed; ours come first."""
    paths = folder / f"{one.cluster}.json", folder / f"{many.cluster}.json"
    for rack_, path in zip((one, many), paths, strict=True):
        rack_.write(path)
    for name, module in LIBRARIES.items():
        if find_spec(module):
            yield name, partial(by_library, name, *paths, folder)
    for name, make in PROGRAMS.items():
        program = make(many, folder)
        if is_installed(program):
            yield name, partial(by_program, program, many, folder)


def measured(sshd: OpenSSH, runs: dict[str, Run], rounds: int) -> dict[str, list[Taken]]:
    """Let each run in turn, as often as wanted."""
    found: dict[str, list[Taken]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            settle(sshd)
            found[name].append(run())
            note(f"round {number + 1}: {name}: {found[name][-1].seconds:.2f} s")
    return found


def note(text: str) -> None:
    """Say how far it has come."""
    print(text, file=sys.stderr, flush=True)


def compare(sshd: OpenSSH, chosen: argparse.Namespace, folder: Path) -> None:
    """Measure, and show what was found."""
    one = rack(sshd, 1, folder)
    found: dict[int, dict[str, list[Taken]]] = {}
    for count in map(int, chosen.nodes.split(",")):
        runs = dict(contenders(one, rack(sshd, count, folder), folder))
        for name in {*LIBRARIES, *PROGRAMS} - set(runs):
            note(f"{name} is left out: it is not installed")
        only = chosen.only.split(",") if chosen.only else runs
        wanted = {name: run for name, run in runs.items() if name in only}
        found[count] = measured(sshd, wanted, chosen.rounds)
        print(table(count, found[count]), flush=True)
        if count == PROMISED:
            print(promises(found[count]), flush=True)
        if chosen.chart:
            chosen.chart.write_text(chart(found))
    if chosen.open:
        runs = dict(contenders(one, rack(sshd, chosen.open, folder), folder))
        settle(sshd)
        memory = runs["tinycloud library"]().memory
        print(f"{chosen.open} open connections, at most in memory: {memory:.0f} MB (<= 150)")


def main() -> None:
    """Run everything against one server, in a state folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nodes", default="32,128,512", help="how many machines")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each thing")
    parser.add_argument("--open", type=int, default=1000, help="connections to have open at once")
    parser.add_argument("--only", help="only these contenders")
    parser.add_argument("--chart", type=Path, help="file for a chart")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started has to end, too
    program = sshd_program()
    if program is None:
        sys.exit("needs OpenSSH's sshd (apt install openssh-server)")
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} processors, load {load}, median of {chosen.rounds}\n")
    with tempfile.TemporaryDirectory() as folder, server(program) as sshd:
        os.environ["TINYCLOUD_STATE_DIR"] = f"{folder}/state"
        os.environ["HOME"] = folder  # nobody's settings play a part
        compare(sshd, chosen, Path(folder))


if __name__ == "__main__":
    main()
