"""What remote programs did to our terminal, and the way back."""

import re

_OTHER_SCREEN = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
_LONGEST = len(b"\x1b[?1049h")

# What full-screen programs switch on, switched off again: cursor keys and keypad, mouse
# and focus reports, bracketed paste, xterm's other keys, a line-drawing font, a scrolling
# region (which moves the cursor: saved and put back), colours; and the cursor shown.
_CALM = (
    b"\x1b[?1l\x1b>\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l"
    b"\x1b[>4m\x1b(B\x0f\x1b7\x1b[r\x1b8\x1b[0m\x1b[?25h"
)
_MAIN_SCREEN = b"\x1b[?1049l"


class Screen:
    """Remembers whether a remote program has the terminal on its other screen."""

    def __init__(self) -> None:
        self._other = False
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take note of what is shown."""
        seen = self._tail + data
        for found in _OTHER_SCREEN.finditer(seen):
            self._other = found[1] == b"h"
        self._tail = seen[-_LONGEST + 1 :]  # a sequence may come in two pieces

    def calm(self, *, known: bool) -> bytes:
        """Return what brings the terminal back; nothing if the shell's end is `known`.

        Then its programs have done so themselves, unless they left the other screen on.
        """
        if self._other:
            return _MAIN_SCREEN + _CALM + b"\r\n"
        return b"" if known else _CALM + b"\r\n"
