"""Docker, as the one who runs our machines: with a daemon of our own where there is none."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

NETWORK = "machines"
STARTUP = 60.0
PROGRAM = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"

# The host's own network is left as it is: we need none but the bridge between it and them.
_ALONE = (
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-masq=false",
    "--ip-forward=false",
)


class Docker:
    """A daemon, at an address as DOCKER_HOST has it."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.environment = {**os.environ, "DOCKER_HOST": host}

    def run(self, *words: str) -> str:
        """Run a command of the client, and return what it prints."""
        done = subprocess.run(
            [PROGRAM, *words], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    async def call(self, *words: str) -> bytes:
        """Run a command of the client while others go on, and return what it prints."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *words, env=self.environment, stdout=pipe, stderr=pipe
        )
        try:
            out, err = await process.communicate()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        if process.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {err.decode()}")
        return out

    def answers(self) -> bool:
        """Return whether the daemon is there."""
        asked = subprocess.run([PROGRAM, "version"], env=self.environment, capture_output=True)
        return asked.returncode == 0


@contextmanager
def docker(program: Callable[[str], str]) -> Iterator[Docker]:
    """Have a Docker daemon of our own for as long as the block lasts."""
    daemon = program("dockerd")
    if os.geteuid() != 0:
        pytest.skip("needs root, to have machines in containers")
    folder = Path(tempfile.mkdtemp(prefix="tinycloud-docker-"))
    host = f"unix://{folder}/socket"
    places = (f"--data-root={folder}/data", f"--exec-root={folder}/run")
    command = [daemon, *places, f"--pidfile={folder}/pid", f"--host={host}", *_ALONE]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    ours = Docker(host)
    try:
        _await(ours, process, folder / "log")
        yield ours
    finally:
        if ours.answers() and (left := ours.run("ps", "-aq").split()):
            ours.run("rm", "-f", *left)
        process.terminate()  # and it ends its containerd itself
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def network(ours: Docker) -> Iterator[str]:
    """Have a network, of which the addresses begin so, for as long as the block lasts."""
    taken = {one.address for addresses in psutil.net_if_addrs().values() for one in addresses}
    begin = next(b for n in range(254) if f"{(b := f'10.231.{n}')}.1" not in taken)
    ours.run("network", "create", f"--subnet={begin}.0/24", NETWORK)
    try:
        yield begin
    finally:
        ours.run("network", "rm", NETWORK)


def _await(ours: Docker, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + STARTUP
    while not ours.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"dockerd did not start: {log.read_text()[-3000:]}")
        time.sleep(0.1)
