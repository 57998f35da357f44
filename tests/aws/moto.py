"""The EC2 that others wrote: moto's server, one process for all tests, an account for each."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from openssh import free_port

from .images import IMAGES

STARTUP = 30.0
_SERVER = "import sys; sys.argv = ['moto', *sys.argv[1:]]; from moto.server import main; main()"
_ACCOUNTS = count(100_000_000_001)


def new_account() -> str:
    """Return the number of an account that nobody has used."""
    return str(next(_ACCOUNTS))


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server for as long as the block lasts; return its address."""
    port = free_port()
    with TemporaryDirectory(prefix="tinycloud-moto-") as folder:
        images = Path(folder, "images.json")
        images.write_text(json.dumps([image.described() for image in IMAGES]))
        command = [sys.executable, "-c", _SERVER, "-p", str(port)]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env={"MOTO_AMIS_PATH": str(images)}
            )
        try:
            await_answer(f"http://127.0.0.1:{port}/moto-api/", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def await_answer(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a server that was started answers here."""
    deadline = time.monotonic() + STARTUP
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
