"""Pseudo-terminals: open one as the client wishes, and resize it."""

import fcntl
import os
import struct
import termios
from collections.abc import Mapping
from typing import Any

Size = tuple[int, int, int, int]
"""Columns, rows, and the same in pixels, as SSH counts them."""

# What RFC 4254, section 8, and RFC 8160 number is named by `termios`, if this system has it.
_CHARACTERS = (
    "VINTR VQUIT VERASE VKILL VEOF VEOL VEOL2 VSTART VSTOP VSUSP VDSUSP VREPRINT VWERASE "
    "VLNEXT VFLUSH VSWTCH VSTATUS VDISCARD"
)
_INPUT, _OUTPUT, _CONTROL, _LOCAL, _INPUT_SPEED, _OUTPUT_SPEED, _SPECIAL = range(7)
_FLAGS = {
    _INPUT: (
        30,
        "IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL IUTF8",
    ),
    _LOCAL: (
        50,
        "ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP IEXTEN ECHOCTL ECHOKE PENDIN",
    ),
    _OUTPUT: (70, "OPOST OLCUC ONLCR OCRNL ONOCR ONLRET"),
    _CONTROL: (92, "PARENB PARODD"),
}
_SPEEDS = {128: _INPUT_SPEED, 129: _OUTPUT_SPEED}
_IUTF8 = 0o40000  # on Linux and macOS alike; `termios` does not name it before Python 3.14
_NONE = 255


def open_terminal(size: Size, modes: Mapping[int, int]) -> tuple[int, int]:
    """Return a new terminal's two ends: ours, which never blocks, and the session's."""
    ours, theirs = os.openpty()
    try:
        os.set_blocking(ours, False)
        resize(ours, size)
        _apply(theirs, modes)
    except BaseException:
        os.close(ours)
        os.close(theirs)
        raise
    return ours, theirs


def resize(terminal: int, size: Size) -> None:
    """Set the window size; the kernel tells the foreground job."""
    columns, rows, width, height = (min(number, 0xFFFF) for number in size)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, width, height))


def _apply(terminal: int, modes: Mapping[int, int]) -> None:
    attributes = termios.tcgetattr(terminal)
    for place, (first, names) in _FLAGS.items():
        for opcode, name in enumerate(names.split(), first):
            if opcode in modes:
                _apply_flag(attributes, place, name, on=bool(modes[opcode]))
    for opcode, name in enumerate(_CHARACTERS.split(), 1):
        slot = getattr(termios, name, None)
        if opcode in modes and slot is not None:
            value = modes[opcode] & 255
            attributes[_SPECIAL][slot] = bytes([0 if value == _NONE else value])
    for opcode, place in _SPEEDS.items():
        attributes[place] = getattr(termios, f"B{modes.get(opcode)}", attributes[place])
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def _apply_flag(attributes: list[Any], place: int, name: str, *, on: bool) -> None:
    bit = _IUTF8 if name == "IUTF8" else getattr(termios, name, 0)
    attributes[place] = attributes[place] | bit if on else attributes[place] & ~bit
