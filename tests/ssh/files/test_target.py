"""Places on nodes: what the words for them mean."""

import pytest

from tinycloud.errors import InvalidInput
from tinycloud.ssh.files import target


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("app", b"./app"),
        ("app/", b"./app"),
        ("./app//x/.", b"./app/x"),
        ("~", b"."),
        ("~/", b"."),
        ("~/app", b"./app"),
        ("~//app", b"./app"),
        (".", b"."),
        ("..", b"./.."),
        ("a/../b", b"./a/../b"),
        ("/", b"/"),
        ("//", b"/"),
        ("/srv/app/", b"/srv/app"),
        ("-rf", b"./-rf"),
        ("./~x", b"./~x"),
        ("a~b/~", b"./a~b/~"),
        ("\udcff", b"./\xff"),
    ],
)
def test_paths(words: str, path: bytes) -> None:
    """A path begins with `/` or `.`, and no shell and no program can take it for anything else."""
    assert target.remote_path(words) == path


@pytest.mark.parametrize("words", ["", "a\nb", "a\0b", "~root", "~root/x"])
def test_no_paths(words: str) -> None:
    """What can't be a path, or would be at another user's home, is refused."""
    with pytest.raises(InvalidInput) as raised:
        target.remote_path(words)
    assert raised.value.fix


@pytest.mark.parametrize("words", ["/", "~", "~/", ".", "..", "a/", "a/.", "a/..", "/a/"])
def test_folders(words: str) -> None:
    """A `/` at the end makes it a folder; and some names can be nothing else."""
    assert target.is_folder(words)


@pytest.mark.parametrize("words", ["a", "/a", "~/a", "a/...", "a/.b", "a~"])
def test_no_folders(words: str) -> None:
    """Any other is a name."""
    assert not target.is_folder(words)


@pytest.mark.parametrize(
    ("path", "parent", "base"),
    [
        (b"./a", b".", b"a"),
        (b"./a/b", b"./a", b"b"),
        (b"/a", b"", b"a"),
        (b"/", b"", b""),
        (b".", b"", b""),
        (b"./..", b".", b""),
    ],
)
def test_parts(path: bytes, parent: bytes, base: bytes) -> None:
    """A path has a folder that it is in, and a name of its own unless it leads upwards."""
    assert (target.parent(path), target.base(path)) == (parent, base)


def test_joined() -> None:
    """What is in a folder is joined to it with one `/`, whatever the folder is."""
    assert [target.joined(folder, b"x") for folder in (b".", b"/", b"/a")] == [
        b"./x",
        b"/x",
        b"/a/x",
    ]


def test_shown() -> None:
    """People see paths without what only programs need."""
    assert [target.shown(path) for path in (b"./a", b".", b"/a", b"./\xff")] == [
        "a",
        ".",
        "/a",
        "\\xff",
    ]
