"""What a node has: its answer understood, and what it lacks concluded."""

import stat
from dataclasses import replace

import pytest

from tinycloud.ssh.files.archive import SMALL
from tinycloud.ssh.files.survey import Found, Lack, Survey, asked, hashes, lacks, parsed
from tinycloud.ssh.files.tree import Entry
from tinycloud.ssh.files.ways import ways

NOW = 1_700_000_000
OLD = 1_600_000_000
FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def file(path: bytes = b"file", size: int = 5, second: int = OLD, mode: int = 0o644) -> Entry:
    """Return a file to put."""
    return Entry(path, b"/here/" + path, False, size, mode, second * 10**9)


def folder(path: bytes) -> Entry:
    """Return a folder to put."""
    return Entry(path, b"/here/" + path, True, 0, 0o755, OLD * 10**9)


def there(size: int = 5, second: int = OLD, mode: int = FILE, noted: int | None = NOW) -> Found:
    """Return a thing that a node has."""
    return Found(size, second, mode, 1, noted)


NOTHING = Lack(missing=(), doubtful=(), modes=(), unchanged=0, conflicts=())


@pytest.mark.parametrize(
    ("entry", "found", "lack"),
    [
        (file(), None, {"missing": (0,)}),
        (file(), there(), {"unchanged": 1}),
        (file(), there(noted=None), {"unchanged": 1}),
        (file(), there(size=6), {"missing": (0,)}),
        (file(), there(second=OLD + 1), {"doubtful": (0,)}),
        (file(), there(second=OLD - 1), {"doubtful": (0,)}),
        (file(), there(noted=OLD + 2), {"doubtful": (0,)}),
        (file(), there(noted=OLD - 99), {"doubtful": (0,)}),
        (file(), there(noted=OLD + 3), {"unchanged": 1}),
        (file(mode=0o755), there(), {"unchanged": 1, "modes": (0,)}),
        (file(mode=0o755), there(second=1), {"doubtful": (0,)}),
        (file(), there(mode=LINK), {"missing": (0,)}),
        (file(), there(mode=stat.S_IFIFO), {"missing": (0,)}),
        (file(), there(mode=FOLDER), {"conflicts": ("file is a folder there, and a file here",)}),
        (folder(b"file"), None, {"missing": (0,)}),
        (folder(b"file"), there(mode=FOLDER), {}),
        (
            folder(b"file"),
            there(),
            {"conflicts": ("file is a file there, and a folder here",)},
        ),
        (
            folder(b"file"),
            there(mode=LINK),
            {"conflicts": ("file is a symbolic link there, and a folder here",)},
        ),
    ],
)
def test_lacks(entry: Entry, found: Found | None, lack: dict[str, object]) -> None:
    """Size and time decide, unless the file is so fresh that it may have changed since."""
    survey = Survey(has_tar=True, found={b"file": found} if found else {})
    assert lacks([entry], survey) == replace(NOTHING, **lack)  # type: ignore[arg-type]  # a table


def test_a_link_to_a_folder() -> None:
    """A link in the place of a folder is as good as the folder that it leads to."""
    survey = Survey(has_tar=True, found={b"f": there(mode=LINK), b"f/.": there(mode=FOLDER)})
    assert lacks([folder(b"f")], survey) == NOTHING
    assert survey.has_folder(folder(b"f"))
    assert lacks([file(b"f")], survey) == replace(NOTHING, missing=(0,))


def test_asked() -> None:
    """A folder is asked for itself and for what is in it; a line break can't be asked for."""
    assert asked([folder(b"a"), file(b"a/b"), file(b"x\ny")]) == b".\0./a\0./a/.\0./a/b\0"


ANSWER = b"""motd
tinycloud soon
tinycloud old tar 1700000100 /srv/with space
4096 1700000000 41ed 2049 1700000050 .
5 1600000000 81a4 2049 1700000100 ./a b\\c
7 1600000000.25 a1ff 66 1700000100 ./-x
end
"""


def test_parsed() -> None:
    """An answer is understood whatever a login shell says before it; clocks are brought in line."""
    survey = parsed(ANSWER, NOW)
    assert survey == Survey(
        has_tar=True,
        is_new=False,
        root=b"/srv/with space",
        found={
            b".": Found(4096, 1_700_000_000, 0o40755, 2049, NOW - 50),
            b"a b\\c": Found(5, OLD, 0o100644, 2049, NOW),
            b"-x": Found(7, OLD, 0o120777, 66, NOW),
        },
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"This service allows sftp connections only.\n",
        b"tinycloud\n",
        b"tinycloud old tar soon /x\n",
        b"tinycloud old tar 17 relative\n",
        b"tinycloud old tar 1700000100 /srv\n5 x 81a4 2049 1700000100 ./a\n",
        b"tinycloud old tar 1700000100 /srv\n5 6 7\n",
    ],
)
def test_no_answer(answer: bytes) -> None:
    """What makes no sense is no answer."""
    assert parsed(answer, NOW) is None


def test_hashes() -> None:
    """Hashes come in the order that was asked for; if one is missing, none is taken."""
    answer = b"motd\ntinycloud\nabc  ./x\n\\def  ./back\\\\slash\n"
    assert hashes(answer, 2) == (b"abc", b"def")
    assert hashes(answer, 3) == hashes(b"", 2) == ()


def test_ways() -> None:
    """Large files go over SFTP; folders and small files by tar, if there is one."""
    entries = [folder(b"d"), file(b"d/small", SMALL), file(b"d/large", SMALL + 1), file(b"x", 0)]
    found = ways(entries, range(4), Survey(has_tar=True))
    assert (found.by_tar, found.by_sftp) == ((0, 1, 3), (2,))
    found = ways(entries, [1, 2], Survey(has_tar=False))
    assert (found.by_tar, found.by_sftp) == ((), (1, 2))


def test_ways_to_other_devices() -> None:
    """Nothing goes by tar into a folder that is mounted there, nor into one below it."""
    entries = [folder(b"m"), file(b"m/x"), folder(b"m/in"), file(b"m/in/y"), file(b"z")]
    mounted = Found(0, OLD, FOLDER, 2, NOW)
    survey = Survey(
        has_tar=True,
        found={b".": there(mode=FOLDER), b"m": there(mode=FOLDER), b"m/.": mounted},
    )
    found = ways(entries, [1, 2, 3, 4], survey)
    assert (found.by_tar, found.by_sftp) == ((4,), (1, 2, 3))
