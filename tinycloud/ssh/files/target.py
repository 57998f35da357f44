"""Where files are to be: what the words for a place on a node mean."""

import os

from ...errors import InvalidInput

HOME = b"."


def remote_path(words: str) -> bytes:
    """Return the path that `words` name on a node, which a shell can't misread.

    It begins with `/`, or with `.`: at home, as does `~`. Raises `InvalidInput` for
    what can't be a path.
    """
    path = os.fsencode(words)
    if not path or b"\0" in path or b"\n" in path:
        cause = "it is empty" if not path else "it holds a line break or a NUL"
        raise InvalidInput(f"not a path on a node: {words[:80]!r}", cause=cause, fix="give another")
    if path == b"~" or path.startswith(b"~/"):
        path = path[2:].lstrip(b"/") or HOME
    elif path.startswith(b"~"):
        raise InvalidInput(
            f"can't find the home of another user: {words[:80]}",
            fix=f"give the whole path, or ./{words[:80]} if it is a name",
        )
    return normal(path)


def normal(path: bytes) -> bytes:
    """Return the path without what it does not need; `..` stays, for links give it a meaning."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    return b"/".join([b"" if path.startswith(b"/") else HOME, *parts]) or b"/"


def is_folder(words: str) -> bool:
    """Return whether the words for a place on a node say that it is a folder."""
    return words.endswith("/") or words.rpartition("/")[2] in (".", "..", "~")


def base(path: bytes) -> bytes:
    """Return the last name in a path; nothing if that is not a name of its own."""
    name = path.rpartition(b"/")[2]
    return b"" if name in (b".", b"..") else name


def joined(folder: bytes, path: bytes) -> bytes:
    """Return the path of what is at `path` in a folder of a node."""
    return (folder if folder.endswith(b"/") else folder + b"/") + path


def parent(path: bytes) -> bytes:
    """Return the folder that a path is in; nothing for the first of a relative path."""
    return path.rpartition(b"/")[0]


def shown(path: bytes) -> str:
    """Return a path on a node as people may read it."""
    return (path.removeprefix(b"./") or b".").decode(errors="backslashreplace")
