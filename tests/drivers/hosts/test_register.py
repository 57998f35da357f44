"""The file of which host is which node: whole, private, and gone when it says nothing."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tinycloud.drivers.hosts import register
from tinycloud.drivers.hosts.place import Place, Use
from tinycloud.drivers.hosts.register import Register
from tinycloud.errors import ClusterBusy, InvalidInput, TinycloudError
from tinycloud.host import Host
from tinycloud.store.lock import locked


def place(index: int, tag: str = "worker", *, username: str | None = None) -> Place:
    """Return a place of a node."""
    host = Host(address=f"10.0.0.{index}", port=22, username=username)
    return Place(tag=tag, index=index, id=f"host-{tag}-{index}", host=host, use=Use.RUNNING)


def test_what_is_written_is_read() -> None:
    """Every part of every place comes back, in order."""
    places = (place(1, username="pi"), place(0), place(0, "Master"))
    assert Register("rack").change(lambda _: places) == places
    assert Register("rack").places() == places


def test_nothing_is_made_by_looking(state: Path) -> None:
    """A cluster without hosts has no file, no lock and no folder."""
    assert Register("rack").places() == ()
    assert not state.exists()


def test_files_are_private(state: Path) -> None:
    """Folder and file are open to nobody else."""
    Register("rack").change(lambda _: (place(0),))
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (state / "hosts", state / "hosts/rack.json")]
    assert modes == [0o700, 0o600]


def test_nothing_is_left_of_nothing(state: Path) -> None:
    """With the last place go file, lock and folders; another cluster's stay."""
    Register("rack").change(lambda _: (place(0),))
    Register("Rack").change(lambda _: (place(1),))
    Register("rack").change(lambda _: ())
    assert [path.name for path in sorted((state / "hosts").iterdir())] == [
        "+rack.json",
        "+rack.lock",
    ]
    assert Register("Rack").places() == (place(1),)
    Register("Rack").change(lambda _: ())
    assert not state.exists()


def test_what_others_keep_there_stays(state: Path) -> None:
    """The state folder is not removed from under what is beside."""
    (state / "clusters").mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    Register("rack").change(lambda _: (place(0),))
    Register("rack").change(lambda _: ())
    assert [path.name for path in state.iterdir()] == ["clusters"]


def test_a_change_that_fails_changes_nothing(state: Path) -> None:
    """Where a change raises, the places are those of before; where there were none, no file is."""

    def fail(_: tuple[Place, ...]) -> tuple[Place, ...]:
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        Register("rack").change(fail)
    assert not any(state.rglob("*.*"))
    Register("rack").change(lambda _: (place(0),))
    with pytest.raises(InvalidInput):
        Register("rack").change(fail)
    assert Register("rack").places() == (place(0),)


def test_a_file_cut_anywhere_is_an_error(state: Path) -> None:
    """It is never taken for no hosts at all, and the remedy says that the hosts are not touched."""
    Register("rack").change(lambda _: (place(0), place(1)))
    file = state / "hosts" / "rack.json"
    whole = file.read_bytes()
    for size in range(len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(InvalidInput, match=re.escape(str(file))) as caught:
            Register("rack").places()
        assert f"rm {file}" in caught.value.fix
    file.write_bytes(whole)
    assert Register("rack").places() == (place(0), place(1))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "x"},
        {"cluster": "other"},
        {"hosts": None},
        {"hosts": [{"tag": "../x"}]},
        {"hosts": [{"tag": "worker", "index": 0, "id": "i"}]},
    ],
)
def test_a_file_with_other_content_is_an_error(state: Path, change: dict[str, object]) -> None:
    """What tinycloud did not write is refused, a newer format with a remedy of its own."""
    Register("rack").change(lambda _: (place(0),))
    file = state / "hosts" / "rack.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InvalidInput) as caught:
        Register("rack").places()
    assert ("upgrade" in caught.value.fix) == (change == {"format": 2})


def test_only_one_at_a_time(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process changes the places we wait, and not for ever."""
    monkeypatch.setattr(register, "WAIT", 0.1)
    Register("rack").change(lambda _: (place(0),))
    with (
        locked(state / "hosts" / "rack.lock"),
        pytest.raises(ClusterBusy, match="the hosts of cluster 'rack'") as caught,
    ):
        Register("rack").change(lambda _: ())
    assert str(os.getpid()) in caught.value.cause
    assert Register("rack").places() == (place(0),)


ADD = """
import sys
from tinycloud.drivers.hosts.register import Register
sys.path.insert(0, {tests!r})
from drivers.hosts.test_register import place
for number in range(20):
    Register("rack").change(lambda places: (*places, place(number, sys.argv[1])))
    if number % 2:
        Register("rack").change(lambda places: tuple(p for p in places if p.tag != sys.argv[1]))
"""


def test_many_processes_at_once(state: Path) -> None:
    """What several processes add and remove at the same time is all there, and gone at the end."""
    script = ADD.format(tests=str(Path(__file__).parents[2]))
    adding = [subprocess.Popen([sys.executable, "-c", script, f"group-{i}"]) for i in range(3)]
    assert [process.wait(60) for process in adding] == [0, 0, 0]
    assert Register("rack").places() == ()
    assert not state.exists()


def test_a_folder_of_somebody_else(state: Path) -> None:
    """A state folder that others may write to is refused before anything is written."""
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(TinycloudError):
        Register("rack").change(lambda _: (place(0),))
    assert not any(state.iterdir())
