"""What is typed: the way out of a shell that does not answer, and nothing else, stays here."""

import pytest

from tinycloud.ssh.keyboard import Escape


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("ls\r", "ls\r"),
        ("", ""),
        ("~.", None),
        ("ls\r~.", None),
        ("ls\n~.more", None),
        ("a~.", "a~."),
        ("~~.", "~."),
        ("~~~.", "~~."),
        ("~a", "~a"),
        ("~\r~.", None),
        ("~", ""),
        ("\r~", "\r"),
        ("cd ~/.ssh\r", "cd ~/.ssh\r"),
        ("~/bin/x\r", "~/bin/x\r"),
    ],
)
def test_escape(typed: str, sent: str | None) -> None:
    """Only ~. at the beginning of a line leaves; ~~ sends one; all the rest is sent as typed."""
    for pieces in ([typed], list(typed)):  # at once, and key by key
        escape, found = Escape(), b""
        for piece in pieces:
            handed_on = escape.feed(piece.encode())
            if handed_on is None:
                assert sent is None
                break
            found += handed_on
        else:
            assert sent is not None
            assert found.decode() == sent


def test_undecided() -> None:
    """A ~ is held back until it is clear what it is for."""
    escape = Escape()
    assert escape.feed(b"~") == b""
    assert escape.feed(b"x") == b"~x"
