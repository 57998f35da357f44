"""Files to and from a node, over the real `sftp` and `scp`."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from .openssh import OpenSSH

SIZE = 100_000_000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 100 MB that can't be compressed."""
    path = tmp_path_factory.mktemp("big") / "big"
    path.write_bytes(os.urandom(1 << 20) * (SIZE >> 20) + b"the rest")
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize(
    "scp", [("scp", "-q"), ("scp", "-q", "-O")], ids=["over sftp", "over its own protocol"]
)
def test_scp(ssh: OpenSSH, big: Path, tmp_path: Path, scp: tuple[str, ...]) -> None:
    """`scp` brings 100 MB there and back unharmed, by either of its ways."""
    ssh.copy(*scp, str(big), "NODE:copy")
    assert ssh.output("sha256sum copy").split()[0] == _digest(big)
    ssh.copy(*scp, "NODE:copy", str(tmp_path / "back"))
    assert _digest(tmp_path / "back") == _digest(big)


def test_sftp(ssh: OpenSSH, big: Path, tmp_path: Path) -> None:
    """`sftp` brings 100 MB there and back unharmed."""
    batch = tmp_path / "batch"
    batch.write_text(f"put {big} there\nget there {tmp_path / 'back'}\n")
    ssh.copy("sftp", "-q", "-b", str(batch), "NODE:")
    assert _digest(tmp_path / "back") == _digest(big)


def test_sftp_begins_at_home(ssh: OpenSSH, tmp_path: Path) -> None:
    """Relative paths begin in the node's home folder, absolute ones at the root."""
    batch = tmp_path / "batch"
    batch.write_text(f"pwd\nmkdir inner\ncd inner\nput {__file__} here.py\nls /etc/passwd\n")
    options = [*ssh.options, "-i", str(ssh.key), "-P", str(ssh.node.port)]
    done = subprocess.run(
        ["sftp", "-b", batch, *options, ssh.place], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done
    home = ssh.output("pwd")
    assert f"Remote working directory: {home}\n".encode() in done.stdout
    assert b"/etc/passwd" in done.stdout
    assert ssh.output("cmp inner/here.py - < inner/here.py && ls inner") == "here.py"


def test_scp_of_a_folder(ssh: OpenSSH, tmp_path: Path) -> None:
    """`scp -r -p` keeps names, modes and times."""
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "tool").write_text("#!/bin/sh\necho works\n")
    (tree / "deep" / "tool").chmod(0o750)
    os.utime(tree / "deep" / "tool", (1e9, 1e9))
    ssh.copy("scp", "-rpq", str(tree), "NODE:.")
    assert ssh.output("tree/deep/tool; stat -c '%a %Y' tree/deep/tool") == "works\n750 1000000000"


def test_scp_of_nothing(ssh: OpenSSH) -> None:
    """`scp` of a file that isn't there fails, and says why."""
    with pytest.raises(AssertionError, match="No such file"):
        ssh.copy("scp", "-q", "NODE:nothing", "/dev/null")
