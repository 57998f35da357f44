"""Where nodes live, and what is written down about them."""

import os
from pathlib import Path

import pytest

from tinycloud.drivers.local.folders import GroupFolder, NodeFolder, remove_tree
from tinycloud.drivers.local.plan import to_run
from tinycloud.drivers.local.process import Process, birth
from tinycloud.drivers.local.record import NodeRecord

RECORD = NodeRecord(
    id="local-0123456789ab",
    port=2222,
    host_key="ssh-ed25519 AAAA",
    launched_at=1_800_000_000.5,
    deadline=None,
    process=Process(1, "boot/1"),
)


@pytest.mark.parametrize("changes", [{}, {"deadline": 1.5, "process": None}])
def test_record(changes: dict[str, object]) -> None:
    """A record is read as it was written."""
    fields = {name: getattr(RECORD, name) for name in RECORD.__dataclass_fields__}
    record = NodeRecord(**(fields | changes))
    assert NodeRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"\xff", b"{}", RECORD.to_json()[:-9], RECORD.to_json().replace(b"2222", b'"x"')],
)
def test_damaged_record(data: bytes) -> None:
    """What is no record is None, and no exception."""
    assert NodeRecord.from_json(data) is None


def test_capitals(tmp_path: Path) -> None:
    """Names that differ in case alone have folders that differ in more."""
    names = {str(GroupFolder(tmp_path, "c", tag).path).lower() for tag in ("web", "Web", "wEB")}
    assert len(names) == 3


def test_nodes(tmp_path: Path) -> None:
    """Only folders with a number for a name are nodes, in the order of the numbers."""
    group = GroupFolder(tmp_path / "state", "c", "t")
    assert group.nodes() == ()
    group.make()
    for name in ("10", "9", "007", "x", "-1"):
        (group.path / name).mkdir()
    (group.path / "3").touch()
    (group.path / "4").symlink_to(tmp_path)
    assert [node.index for node in group.nodes()] == [9, 10]


def test_plan(tmp_path: Path) -> None:
    """What does not run is to run: what is missing, what has lived, and no half-made surplus."""
    group = GroupFolder(tmp_path / "state", "c", "t")
    group.make()
    for index in (1, 2, 5, 6):
        (group.path / str(index)).mkdir()
    alive = Process(os.getpid(), birth(os.getpid()) or "")
    fields = {name: getattr(RECORD, name) for name in RECORD.__dataclass_fields__}
    group.node(1).write_record(NodeRecord(**fields | {"process": alive}))
    group.node(5).write_record(RECORD)
    assert [node.index for node in to_run(group, 4)] == [0, 2, 3, 5]


def test_remove_spares_what_links_point_to(tmp_path: Path) -> None:
    """Removing a folder removes links in it, and not what they point to."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    doomed = tmp_path / "doomed"
    doomed.mkdir()
    (doomed / "link").symlink_to(kept)
    remove_tree(doomed)
    remove_tree(doomed)
    assert (doomed.exists(), (kept / "file").exists()) == (False, True)


def test_node_that_is_a_link(tmp_path: Path) -> None:
    """Removing a node whose folder is a link removes the link, and no record elsewhere."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "node.json").touch()
    (tmp_path / "0").symlink_to(kept)
    NodeFolder(tmp_path / "0").remove()
    assert ((tmp_path / "0").is_symlink(), (kept / "node.json").exists()) == (False, True)


def test_group_with_nodes_stays(tmp_path: Path) -> None:
    """A group's folder is removed only once no node is left in it, and its neighbours stay."""
    group = GroupFolder(tmp_path / "state", "c", "t")
    neighbour = GroupFolder(tmp_path / "state", "c", "u")
    neighbour.make()
    group.make()
    (group.path / "0").mkdir()
    group.remove_if_empty()
    assert group.exists()
    group.node(0).remove()
    group.remove_if_empty()
    assert (group.exists(), neighbour.exists()) == (False, True)
