"""A terminal's modes as SSH numbers them (RFC 4254, section 8)."""

import termios

from asyncssh import constants

# Names that asyncssh and `termios` share; flags by their place in what `tcgetattr` returns.
_CHARACTERS = "VINTR VQUIT VERASE VKILL VEOF VEOL VEOL2 VSTART VSTOP VSUSP VREPRINT VLNEXT VDISCARD"
_FLAGS = {
    0: "IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IXON IXANY IXOFF IMAXBEL",
    1: "OPOST ONLCR OCRNL ONOCR ONLRET",
    3: "ISIG ICANON ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP IEXTEN ECHOCTL ECHOKE PENDIN",
}
_IUTF8 = 0o40000  # on Linux and macOS alike; `termios` does not name it before Python 3.14
_NONE = 255


def modes(descriptor: int) -> dict[int, int]:
    """Return the terminal's modes as SSH numbers them: which key erases, whether it is UTF-8."""
    attributes = termios.tcgetattr(descriptor)
    found = {constants.PTY_IUTF8: int(bool(attributes[0] & _IUTF8))}
    for index, names in _FLAGS.items():
        for name in names.split():
            flag = getattr(termios, name, 0)
            found[getattr(constants, f"PTY_{name}")] = int(bool(attributes[index] & flag))
    keys = {name: getattr(constants, f"PTY_{name}") for name in _CHARACTERS.split()}
    for name, number in {**keys, "VWERASE": constants.PTY_WERASE}.items():
        key = attributes[6][getattr(termios, name)]
        if isinstance(key, bytes):
            found[number] = key[0] or _NONE
    return found
