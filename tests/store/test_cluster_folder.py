"""One cluster's folder."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tinycloud.errors import ClusterBusy, InvalidInput, MachineError
from tinycloud.store import ClusterFolder, GroupRecord, Record, known_clusters
from tinycloud.store.folder import FILE_LIMIT

from .children import child, said

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF+Fgth3RLLSJQUGZGkjAmqPYTBiOp5HM4GJFgxVfBnh"
HOLDER = """
import sys
from tinycloud.store import ClusterFolder
with ClusterFolder("voltron").locked():
    print("held", flush=True)
    sys.stdin.readline()
"""
CROWD = """
from tinycloud.errors import ClusterBusy
from tinycloud.store import ClusterFolder
rounds = 30
while rounds:
    folder = ClusterFolder("voltron")
    try:
        with folder.locked():
            folder.make_login_key()
            folder.remove()
            rounds -= 1
    except ClusterBusy:
        continue
"""


def made(name: str = "voltron") -> ClusterFolder:
    """Return the folder of a cluster with a record, a key and a pin."""
    folder = ClusterFolder(name)
    with folder.locked():
        folder.make_login_key()
        folder.write_record(record(name))
        folder.pin("i-1", HOST_KEY)
    return folder


def record(name: str) -> Record:
    """Return the record of a cluster."""
    groups = (GroupRecord(tag="worker", count=2, driver="local"),)
    return Record(name=name, generation="1", created_at="2026-11-22T11:40:13+00:00", groups=groups)


def test_nothing_is_made_until_something_is_written(state: Path) -> None:
    """To ask about a cluster leaves no trace."""
    folder = ClusterFolder("voltron")
    assert (folder.exists(), folder.record(), folder.login_key()) == (False, None, None)
    folder.check_keys()
    assert known_clusters() == ()
    assert not state.exists()


def test_no_record_is_written_that_could_not_be_read(state: Path) -> None:
    """Whatever a program wants kept of its groups, the cluster stays known."""
    folder = made()
    groups = (GroupRecord(tag="web", count=1, driver="local", setup=":" * FILE_LIMIT),)
    with pytest.raises(InvalidInput, match="too much to keep of cluster 'voltron'"):
        folder.write_record(replace(record("voltron"), groups=groups))
    assert folder.record() == record("voltron")


def test_what_is_kept_comes_back(state: Path) -> None:
    """Record, key and pin are there for the next process."""
    folder = made()
    assert ClusterFolder("voltron").record() == record("voltron")
    assert ClusterFolder("voltron").login_key() == folder.make_login_key()
    assert ClusterFolder("voltron").pinned("i-1") == HOST_KEY
    assert ClusterFolder("voltron").pinned("i-2") is None
    names = {path.name for path in (state / "clusters" / "voltron").iterdir()}
    assert names == {"record.json", "key", "pins", "lock"}


def test_everything_kept_is_private(state: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask."""
    old = os.umask(0)
    try:
        made()
    finally:
        os.umask(old)
    modes = {(p.is_dir(), p.stat().st_mode & 0o777) for p in (state, *state.rglob("*"))}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_clusters_are_known_by_their_folders(state: Path) -> None:
    """All clusters are found, sorted, whatever else lies about."""
    for name in ("web", "Web", "web-2", "a.b_c"):
        made(name)
    (state / "clusters" / ".DS_Store").touch()
    (state / "clusters" / "Not Ours").mkdir()
    (state / "clusters" / "+").mkdir()
    assert known_clusters() == ("Web", "a.b_c", "web", "web-2")
    assert ClusterFolder("Web").record() == record("Web")
    assert ClusterFolder("web").record() == record("web")


def test_removing_a_cluster_leaves_nothing(state: Path) -> None:
    """With the last cluster the whole state folder goes, half-written files and all."""
    folder = made()
    (folder.path / ".record.json.x1").write_text("half")
    (folder.path / "pins" / ".i-2.x1").write_text("half")
    with folder.locked():
        folder.remove()
    assert not state.exists()


def test_removing_a_cluster_leaves_the_others(state: Path) -> None:
    """What is another cluster's, and what is not ours at all, stays."""
    made("lion")
    (state / "notes").write_text("mine")
    folder = made()
    with folder.locked():
        folder.remove()
    assert known_clusters() == ("lion",)
    assert ClusterFolder("lion").pinned("i-1") == HOST_KEY
    assert (state / "notes").read_text() == "mine"


def test_what_is_not_ours_is_not_removed(state: Path) -> None:
    """A folder that somebody put among our files is named, and kept."""
    folder = made()
    (folder.path / "mine").mkdir()
    with folder.locked(), pytest.raises(MachineError, match=r"can't remove .*voltron"):
        folder.remove()
    assert (folder.path / "mine").is_dir()


@pytest.mark.parametrize("node_id", ["i-1", "../../x", "a/b", ".hidden", "ü\n", "x y", ".", ".."])
def test_any_machine_can_be_pinned(state: Path, node_id: str) -> None:
    """A provider's name for a machine is a file in our folder, whatever is in it."""
    folder = made()
    folder.pin(node_id, HOST_KEY)
    assert folder.pinned(node_id) == HOST_KEY
    assert len(list((folder.path / "pins").iterdir())) == (1 if node_id == "i-1" else 2)
    folder.check_keys()
    folder.unpin(node_id)
    folder.unpin(node_id)
    assert folder.pinned(node_id) is None
    assert node_id == "i-1" or folder.pinned("i-1") == HOST_KEY
    assert {path.name for path in state.iterdir()} == {"clusters"}


def test_a_pin_cut_at_any_byte_is_damaged(state: Path) -> None:
    """Half a host key, or none, proves nothing and is no reason to trust anybody."""
    folder = made()
    path = folder.path / "pins" / "i-1"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match="the pinned host key is damaged") as caught:
            folder.pinned("i-1")
        assert f"rm {path}" in caught.value.fix
        with pytest.raises(InvalidInput, match="the pinned host key is damaged"):
            folder.check_keys()
    assert ClusterFolder("voltron").record() == record("voltron")


def test_a_busy_cluster_names_who_is_at_it(state: Path) -> None:
    """A second process is turned away and told whom to wait for; then it is its turn."""
    with child(HOLDER) as holder:
        assert said(holder) == "held"
        with pytest.raises(ClusterBusy) as caught, ClusterFolder("voltron").locked():
            pytest.fail("held twice")
        assert caught.value.cause == f"process {holder.pid} is at work on it"
        with ClusterFolder("lion").locked():
            assert known_clusters() == ("lion", "voltron")
    with ClusterFolder("voltron").locked():
        assert state.exists()


def test_many_that_make_and_remove_one_cluster_do_not_fail(state: Path) -> None:
    """Folders that come and go are no error, and nothing is left of them."""
    crowd = [subprocess.Popen([sys.executable, "-c", CROWD]) for _ in range(3)]
    assert [process.wait() for process in crowd] == [0, 0, 0]
    assert not state.exists()


def test_who_failed_is_kept_with_the_cluster(state: Path) -> None:
    """Names are kept privately and in few bytes, until others are; not for another generation."""
    unknown = ClusterFolder("lion")
    unknown.keep_failed(["worker-1"])
    assert (unknown.failed(), unknown.exists()) == ((), False)
    folder = made()
    assert folder.failed() == ()
    names = tuple(f"worker-{index}" for index in range(100_000))
    folder.keep_failed(names)
    path = folder.path / "failed"
    assert (folder.failed(), path.stat().st_mode & 0o777) == (names, 0o600)
    assert path.stat().st_size < 100
    folder.keep_failed(["master-0", "worker-7"])
    assert folder.failed() == ("master-0", "worker-7")
    folder.write_record(replace(record("voltron"), generation="2"))
    assert folder.failed() == ()
    path.write_bytes(b"1\nworker-[\n")
    folder.write_record(record("voltron"))
    with pytest.raises(InvalidInput, match="damaged") as raised:
        folder.failed()
    assert raised.value.fix == f"rm {path}"
    folder.remove()
    assert not state.exists()
