"""What remote programs did to the terminal, and what brings it back."""

import pytest

from tinycloud.ssh.screen import Screen

LEAVE = b"\x1b[?1049l"


@pytest.mark.parametrize("number", [b"1049", b"1047", b"47"])
def test_other_screen(number: bytes) -> None:
    """A program on the other screen is noticed, however its output is cut into pieces."""
    shown = b"text\x1b[1m\x1b[?" + number + b"h\x1b[2Jmore"
    for cut in range(len(shown)):
        screen = Screen()
        screen.feed(shown[:cut])
        screen.feed(shown[cut:])
        assert screen.calm(known=True).startswith(LEAVE), cut
    screen = Screen()
    for byte in shown:
        screen.feed(bytes([byte]))
    assert screen.calm(known=True).startswith(LEAVE)


def test_left_again() -> None:
    """A program that has left the other screen by itself is not helped."""
    screen = Screen()
    screen.feed(b"\x1b[?1049h...\x1b[?1049l")
    assert screen.calm(known=True) == b""
    assert LEAVE not in screen.calm(known=False)


def test_unknown_end() -> None:
    """Where programs had no time to leave things in order, cursor and mouse are ours again."""
    calm = Screen().calm(known=False)
    for sequence in (b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1006l", b"\x1b[?2004l", b"\x1b[0m"):
        assert sequence in calm
