"""What moving files costs, beside what others take for the same: ratios from one run.

    python tests/bench/files.py [--nodes 50] [--files 500] [--megabytes 1000]

Many small files go to local nodes: with tinycloud, with a loop of `scp -r` and, where
ClusterShell is installed, with `clush --copy`; then once more, when all is there, and
back. A large file goes to OpenSSH's sshd and back, beside scp. All go over the same
servers, and what arrives is compared. Nothing here is a test: a busy machine must not
fail a build.
"""

import argparse
import asyncio
import filecmp
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from openssh import openssh

from tinycloud import Cloud, Group
from tinycloud.drivers.hosts import Hosts
from tinycloud.drivers.local import Local

SIZE = 2048
MB = 1_000_000


def command(*words: str | Path) -> None:
    """Run a command, which must succeed, away from any terminal."""
    nothing = subprocess.DEVNULL
    subprocess.run(words, check=True, stdin=nothing, stdout=nothing, start_new_session=True)


def tinycloud(*words: str | Path) -> None:
    """Run a tinycloud command."""
    command(sys.executable, "-m", "tinycloud", "--quiet", *words)


def seconds(work: Callable[[], None]) -> float:
    """Return how long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def report(what: str, found: dict[str, float], megabytes: float) -> None:
    """Print how long each took, and how many times as long as tinycloud."""
    ours = found["tinycloud"]
    for name, taken in found.items():
        rate = f"{megabytes / taken:8.0f} MB/s" if megabytes else " " * 13
        print(f"{what:<28} {name:<16} {taken:8.2f} s {rate} {taken / ours:7.2f}")
        what = ""


def same(one: Path, other: Path) -> None:
    """Fail unless two folders hold the same files."""
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir()), other
    _, unequal, odd = filecmp.cmpfiles(one, other, names, shallow=False)
    assert (unequal, odd) == ([], []), other


@contextmanager
def local_nodes(count: int, folder: Path) -> Iterator[tuple[list[str], Path]]:
    """Have local nodes; yield the names that ssh knows them by, and its configuration."""
    cloud = Cloud([Group("worker", count, Local())], name="bench")
    asyncio.run(cloud.launch())
    try:
        config = folder / "config"
        with config.open("w") as file:
            command_line = [sys.executable, "-m", "tinycloud", "ssh-config", "bench"]
            subprocess.run(command_line, check=True, stdout=file)
        yield [f"bench-worker-{index}" for index in range(count)], config
    finally:
        asyncio.run(cloud.destroy())


def small_files(count: int, nodes: int, folder: Path) -> None:
    """Measure many small files to many nodes, and back."""
    source = folder / "source"
    source.mkdir()
    for index in range(count):
        (source / f"file-{index}").write_bytes(os.urandom(SIZE))
    time.sleep(3)  # files that are younger than that are looked at twice
    with local_nodes(nodes, folder) as (names, config):
        scp = ("scp", "-q", "-r", "-F", config)

        def scp_there() -> None:
            for name in names:
                command(*scp, source, f"{name}:by-scp")

        def scp_back() -> None:
            for name in names:
                # The second time, scp has put the folder into the one that was there.
                command(*scp, f"{name}:by-scp/source", folder / f"scp-{name}")

        there = {"tinycloud": seconds(lambda: tinycloud("put", "bench", source, "by-tinycloud"))}
        again = {"tinycloud": seconds(lambda: tinycloud("put", "bench", source, "by-tinycloud"))}
        there["loop of scp -r"] = seconds(scp_there)
        again["loop of scp -r"] = seconds(scp_there)
        if clush := shutil.which("clush"):
            copy = [clush, "-q", "-o", f"-F {config}", "-w", ",".join(names)]
            copy += ["--copy", str(source), "--dest", "by-clush"]
            there["clush --copy"] = seconds(lambda: command(*copy))
            again["clush --copy"] = seconds(lambda: command(*copy))
        back = {"tinycloud": seconds(lambda: tinycloud("get", "bench", "by-tinycloud", folder))}
        back["loop of scp -r"] = seconds(scp_back)
        for index, name in enumerate(names):
            same(source, folder / f"worker-{index}" / "by-tinycloud")
            same(source, folder / f"scp-{name}")
    title = f"{count} files, {nodes} nodes"
    report(f"{title}, there", there, 0)
    report("once more", again, 0)
    report("back", back, 0)


def large_file(megabytes: int, folder: Path) -> None:
    """Measure one large file to one node and back."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        print("a large file: needs sshd")
        return
    large = folder / "large"
    with large.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(MB))
    with openssh(program) as server:
        node = server.node()
        key, known = folder / "key", folder / "known_hosts"
        key.touch(mode=0o600)
        key.write_bytes(server.login_key)
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        host = Hosts(f"{node.username}@127.0.0.1:{server.port}", known_hosts=known)
        cloud = Cloud([Group("node", 1, host)], name="bench-large", keyfile=key)
        asyncio.run(cloud.launch())
        options = ("-q", "-F", "none", "-i", key, "-P", str(server.port))
        scp = ("scp", *options, "-o", f"UserKnownHostsFile={known}")
        place = f"{node.username}@127.0.0.1"
        there = {
            "tinycloud": seconds(lambda: tinycloud("put", "bench-large", large, "large")),
            "scp": seconds(lambda: command(*scp, large, f"{place}:by-scp")),
        }
        back = {
            "tinycloud": seconds(lambda: tinycloud("get", "bench-large", "large", folder)),
            "scp": seconds(lambda: command(*scp, f"{place}:by-scp", folder / "by-scp")),
        }
        for copy in (folder / "node-0" / "large", folder / "by-scp"):
            assert filecmp.cmp(large, copy, shallow=False), copy
        asyncio.run(cloud.destroy())
    report(f"{megabytes} MB, there", there, megabytes)
    report("back", back, megabytes)


def main() -> None:
    """Run everything in a state folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nodes", type=int, default=50, help="local nodes")
    parser.add_argument("--files", type=int, default=500, help=f"small files, of {SIZE} bytes")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the large file")
    chosen = parser.parse_args()
    print(f"{'':<28} {'':<16} {'time':>10} {'rate':>13} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TINYCLOUD_STATE_DIR"] = f"{folder}/state"
        if chosen.files and chosen.nodes:
            small_files(chosen.files, chosen.nodes, Path(folder))
        if chosen.megabytes:
            large_file(chosen.megabytes, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory of any program: {peak:.0f} MB")


if __name__ == "__main__":
    main()
