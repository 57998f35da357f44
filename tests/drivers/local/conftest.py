"""Local nodes to test with, and the proof that none is left afterwards."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncssh
import psutil
import pytest

from tinycloud.drivers.local import Local
from tinycloud.group import GroupSpec
from tinycloud.node import Node

from .openssh import OpenSSH

Spec = Callable[..., GroupSpec]
Connect = Callable[[Node], OpenSSH]


@pytest.fixture(scope="session")
def login_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private key that nodes accept; its public half is beside it."""
    return make_key(tmp_path_factory.mktemp("key"))


def make_key(folder: Path) -> Path:
    """Return the file of a new private key; its public half is beside it."""
    file, key = folder / "key", asyncssh.generate_private_key("ssh-ed25519")
    file.touch(mode=0o600)
    file.write_bytes(key.export_private_key())
    file.with_suffix(".pub").write_bytes(key.export_public_key())
    return file


def make_spec(login_key: Path, **changes: object) -> GroupSpec:
    """Return the spec of a group of one node, with changes."""
    public = login_key.with_suffix(".pub").read_text().strip()
    plain: dict[str, object] = {"cluster": "voltron", "tag": "worker", "count": 1}
    return GroupSpec(**{**plain, "authorized_keys": (public,), **changes})  # type: ignore[arg-type]


@pytest.fixture
def spec(login_key: Path) -> Spec:
    """Make the spec of a group."""
    return lambda **changes: make_spec(login_key, **changes)


@pytest.fixture
def connect(login_key: Path, tmp_path: Path, program: Callable[[str], str]) -> Connect:
    """Make a client of a node."""
    program("ssh")
    return lambda node: OpenSSH(node, login_key, tmp_path)


@pytest.fixture
def clean(tmp_path: Path, state: Path, spec: Spec) -> Iterator[None]:
    """Destroy what a test has made; it must then be gone."""
    yield
    assert_no_complaints(state)
    for group in sorted(state.glob("local/*/*")):
        cluster, tag = _decoded(group.parent.name), _decoded(group.name)
        asyncio.run(Local().destroy(spec(cluster=cluster, tag=tag)))
    assert not state.exists()
    assert_nothing_runs(tmp_path)


@pytest.fixture
async def local(clean: None) -> AsyncIterator[Local]:
    """The driver, in its block; what a test makes with it is destroyed afterwards."""
    async with Local() as driver:
        yield driver


def _decoded(name: str) -> str:
    parts = name.split("+")
    return parts[0] + "".join(part[0].upper() + part[1:] for part in parts[1:])


def assert_no_complaints(state: Path) -> None:
    """Fail if a node has written into its log, which it does only if something went wrong."""
    assert [log.read_text() for log in state.glob("local/*/*/*/log")] == []


def assert_nothing_runs(folder: Path) -> None:
    """Fail if a process works below this folder, or came from a node that did."""
    assert [process for process in psutil.process_iter() if _is_ours(process, folder)] == []


def _is_ours(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        places = [process.cwd(), process.environ().get("HOME", "")]
    except psutil.Error:
        return False
    return any(place.startswith(str(folder)) for place in places)


@pytest.fixture(scope="module")
def ssh(
    login_key: Path, tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]
) -> Iterator[OpenSSH]:
    """A client of a node that the tests of a module share."""
    program("ssh")
    folder = tmp_path_factory.mktemp("shared")
    spec = make_spec(login_key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYCLOUD_STATE_DIR", str(folder / "state"))
        patch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        (node,) = asyncio.run(Local().start(spec))
    yield OpenSSH(node, login_key, folder)
    assert_no_complaints(folder / "state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYCLOUD_STATE_DIR", str(folder / "state"))
        asyncio.run(Local().destroy(spec))
    assert_nothing_runs(folder)
