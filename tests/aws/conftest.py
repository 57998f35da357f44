"""The world of these tests: a server for all of them, an account for each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .containers import Containers
from .debian import machine_image
from .docker import Docker, docker, network
from .moto import moto
from .world import World, aws_settings, hurry, world


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of the EC2 that others wrote."""
    with moto() as address:
        yield address


@pytest.fixture
def ec2(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    """An account at it, without machines behind the instances."""
    with world(server) as made:
        aws_settings(made.proxy.url, monkeypatch, tmp_path)
        yield made


@pytest.fixture
def no_time(ec2: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes long there, for tests of what happens and not of when."""
    hurry(monkeypatch, ec2)


@pytest.fixture(scope="session")
def daemon(program: Callable[[str], str]) -> Iterator[Docker]:
    """A Docker daemon of ours."""
    with docker(program) as ours:
        yield ours


@pytest.fixture(scope="session")
def subnet(daemon: Docker) -> Iterator[str]:
    """How the addresses of the machines begin."""
    with network(daemon) as begin:
        yield begin


@pytest.fixture
def cloud_of_machines(
    server: str,
    daemon: Docker,
    subnet: str,
    program: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[World]:
    """An account whose instances are real machines."""
    image = machine_image(daemon, program)
    with world(server, Containers(daemon, image, subnet)) as made:
        aws_settings(made.proxy.url, monkeypatch, tmp_path)
        yield made
