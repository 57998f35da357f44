"""Another EC2 that others wrote: ministack, whose instances are containers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from openssh import free_port

from .docker import NETWORK, Docker
from .moto import await_answer

REGION = "us-east-1"


@contextmanager
def ministack(docker: Docker) -> Iterator[str]:
    """Run it for as long as the block lasts; return its address."""
    port = free_port()
    with TemporaryDirectory(prefix="tinycloud-ministack-") as folder:
        environment = {
            "BIND_HOST": "127.0.0.1",
            "DOCKER_HOST": docker.host,
            "DOCKER_NETWORK": NETWORK,
            "GATEWAY_PORT": str(port),
            "HOME": folder,
            "LOG_LEVEL": "WARNING",
            "PATH": os.environ["PATH"],
            "TMPDIR": folder,
        }
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            await_answer(f"http://127.0.0.1:{port}/_localstack/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()
