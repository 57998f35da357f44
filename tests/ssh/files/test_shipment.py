"""What is to be put: which files, under which names, and what can't be."""

import os
import socket
from pathlib import Path

import pytest

from tinycloud.errors import InvalidInput
from tinycloud.ssh.files.shipment import Shipment, shipment

from .trees import ODD, write


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with some files."""
    write(tmp_path, {"file": b"x", "other": b"yy", "app/one": b"1", "app/in/two": b"22", "e/": b""})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(load: Shipment) -> dict[bytes, list[bytes]]:
    """Return what goes below which folder."""
    return {job.root: [entry.path for entry in job.entries] for job in load.jobs}


@pytest.mark.parametrize(
    ("local", "remote", "found"),
    [
        (["file"], "x", {b".": [b"x"]}),
        (["file"], "x/", {b"./x": [b"file"]}),
        (["file"], "/x", {b"/": [b"x"]}),
        (["file"], "~", {b".": [b"file"]}),
        (["file"], "/a/b/c", {b"/a/b": [b"c"]}),
        (["file", "other"], "x/", {b"./x": [b"file", b"other"]}),
        (["app"], "x", {b"./x": [b"in", b"in/two", b"one"]}),
        (["app"], "x/", {b"./x/app": [b"in", b"in/two", b"one"]}),
        (["app/"], "x/", {b"./x/app": [b"in", b"in/two", b"one"]}),
        (["app/."], "x/", {b"./x/app": [b"in", b"in/two", b"one"]}),
        (["app/in/.."], "x/", {b"./x/app": [b"in", b"in/two", b"one"]}),
        (["e"], "x/", {b"./x/e": []}),
        (["app", "file"], "/x/", {b"/x": [b"file"], b"/x/app": [b"in", b"in/two", b"one"]}),
    ],
    ids=str,
)
def test_where_things_go(
    here: Path, local: list[str], remote: str, found: dict[bytes, list[bytes]]
) -> None:
    """`/` at the end of REMOTE makes it a folder; a folder comes before what is in it."""
    assert paths(shipment(local, remote)) == found


def test_the_working_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.` goes under the name that it really has."""
    monkeypatch.chdir(here / "app")
    assert list(paths(shipment(["."], "x/"))) == [b"./x/app"]


@pytest.mark.parametrize(
    ("local", "remote", "what"),
    [
        ([], "x/", "nothing to put"),
        (["file", "other"], "x", "2 things can't all be called x"),
        (["file", "app/../file"], "x/", "two things would both be ./x/file"),
        (["nothing"], "x", "can't send nothing"),
        (["file/x"], "x", "can't send file/x"),
        ([""], "x", "not a path"),
        (["a\0b"], "x", "not a path"),
        (["/"], "x/", "/ has no name"),
        (["/dev/null"], "x", "can't send /dev/null"),
        (["pipe"], "x", "can't send pipe"),
        (["dangling"], "x", "can't send dangling"),
        (["file"], "~root/x", "can't find the home"),
    ],
    ids=str,
)
def test_what_makes_no_sense(here: Path, local: list[str], remote: str, what: str) -> None:
    """What can't be put is refused before any node is asked, with what helps."""
    os.mkfifo(here / "pipe")
    (here / "dangling").symlink_to("nowhere")
    with pytest.raises(InvalidInput, match=what) as raised:
        shipment(local, remote)
    assert raised.value.fix


def test_links_are_followed(here: Path) -> None:
    """A link is what it leads to, also out of the folder; permission bits are those of that."""
    (here / "app" / "in" / "link").symlink_to("../../file")
    (here / "app" / "out").symlink_to(here / "e")
    (here / "file").chmod(0o700)
    load = shipment(["app"], "x")
    entries = {entry.path: entry for entry in load.jobs[0].entries}
    assert entries.keys() == {b"in", b"in/link", b"in/two", b"one", b"out"}
    assert (entries[b"in/link"].mode, entries[b"in/link"].size) == (0o700, 1)
    assert entries[b"out"].is_folder
    assert load.remarks == ()


@pytest.mark.parametrize("leads_to", [".", "..", "../../app/in", "/proc/self/cwd/app"])
def test_links_that_go_round(here: Path, leads_to: str) -> None:
    """A link to a folder that it is in is refused: it would have no end."""
    (here / "app" / "in" / "loop").symlink_to(leads_to)
    with pytest.raises(InvalidInput, match="in/loop") as raised:
        shipment(["app"], "x")
    assert raised.value.cause == "it is a link to a folder that it is in"


def test_the_same_folder_twice(here: Path) -> None:
    """Two links to one folder beside each other are no loop."""
    (here / "app" / "a").symlink_to("../e")
    (here / "app" / "b").symlink_to("../e")
    assert {b"a", b"b"} <= {entry.path for entry in shipment(["app"], "x").jobs[0].entries}


def test_what_is_passed_over(here: Path) -> None:
    """Links that lead nowhere, pipes and sockets in a folder are left out, with a word."""
    (here / "app" / "dangling").symlink_to("nowhere")
    (here / "app" / "itself").symlink_to("itself")
    os.mkfifo(here / "app" / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("app/socket")
        load = shipment(["app"], "x")
    assert paths(load) == {b"./x": [b"in", b"in/two", b"one"]}
    assert load.remarks == (
        "passed over app/dangling: a link that leads nowhere",
        "passed over app/itself: a link that leads nowhere",
        "passed over app/pipe: a named pipe",
        "passed over app/socket: a socket",
    )


def test_modes_and_times(here: Path) -> None:
    """Of a mode only permission bits travel, and of a time what SFTP can say."""
    (here / "file").chmod(0o6751)
    (here / "app" / "in").chmod(0o500)
    for second, known in ((-5, 0), (2**33, 2**32 - 1), (1.75e9 + 0.9, 1_750_000_000)):
        os.utime(here / "file", (second, second))
        (entry,) = shipment(["file"], "x").jobs[0].entries
        assert (entry.mode, entry.second) == (0o751, known)
    assert shipment(["app"], "x").jobs[0].entries[0].mode == 0o700


def test_odd_names(tmp_path: Path) -> None:
    """Any name that a file can have is sent as it is."""
    write(tmp_path / "odd", dict.fromkeys(ODD, b""))
    load = shipment([tmp_path / "odd"], "x")
    assert paths(load) == {b"./x": sorted(ODD)}


def test_very_deep(tmp_path: Path) -> None:
    """Folders may be in one another as deep as the system allows."""
    deep = tmp_path / "deep"
    deep.joinpath(*["d"] * 900).mkdir(parents=True)
    assert len(shipment([deep], "x").jobs[0].entries) == 900


def test_no_access(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that can't be read is named, and nothing is sent."""
    monkeypatch.setattr(os, "access", lambda path, mode: not path.endswith(b"two"))
    with pytest.raises(InvalidInput, match="can't read app/in/two") as raised:
        shipment(["app"], "x")
    assert raised.value.cause == "permission denied"
