"""Play the shell sessions of the documentation, and compare what they print with what it shows."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from fences import Command

_ENDED = "documented command ended with"
_END = re.compile(rb"\n" + _ENDED.encode() + rb" (\d+)\n")

# What differs from run to run.
_VARIES = (
    (re.compile(r"127\.0\.0\.1  .*"), "127.0.0.1 and so on"),
    (re.compile(r"\(\d+\.\d s\b.*?\)"), "(so many s)"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "some day"),
    (re.compile(r"run-[0-9a-f]{8}"), "run-so-and-so"),
    (re.compile(r"(?<=nodes failed \().*(?=:)"), "nodes in some order"),
    (re.compile(r"\s+"), " "),
)
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and all that it printed."""

    status: int
    text: str


def play(
    commands: Sequence[Command], *, folder: Path, environment: Mapping[str, str]
) -> tuple[Outcome, ...]:
    """Run the commands in one shell; what is to be typed is typed once there is a prompt."""
    script = folder / "session.sh"
    script.write_text(
        "".join(
            f"{command.text}\ncode=$?; printf '\\n{_ENDED} %s\\n' $code; (exit $code)\n"
            for command in commands
        )
    )
    ours, theirs = os.openpty()
    shell = subprocess.Popen(
        ["/bin/sh", script],
        stdin=theirs if any(command.typed for command in commands) else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        heard = _hear(shell, ours, [command.typed for command in commands])
    finally:
        os.close(ours)
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    texts = _END.split(heard)
    return tuple(
        Outcome(int(status), text.decode())
        for text, status in zip(texts[0::2], texts[1::2], strict=False)
    )


def _hear(shell: "subprocess.Popen[bytes]", terminal: int, typed: list[list[str]]) -> bytes:
    assert shell.stdout is not None
    heard = b""
    with shell.stdout:
        while data := os.read(shell.stdout.fileno(), 65536):
            heard += data
            texts = _END.split(heard)[::2]
            at = len(texts) - 1
            if at < len(typed) and typed[at] and texts[at]:
                os.write(terminal, "".join(f"{line}\n" for line in typed[at]).encode())
                typed[at] = []
    return heard


def agrees(shown: Sequence[str], printed: str, *, whole: bool = True) -> bool:
    """Return whether a page shows what was printed; nodes answer in any order.

    A page that shows nothing leaves it open, and one that shows `...`, or for which
    `whole` is false, shows a part.
    """
    lines = Counter(_plain(line) for line in shown if line != "...")
    found = Counter(_plain(line) for line in printed.splitlines())
    found.pop("", None)
    if not shown or not whole or "..." in shown:
        return lines <= found
    return lines == found


def _plain(line: str) -> str:
    for pattern, text in ((_ESCAPE, ""), *_VARIES):
        line = pattern.sub(text, line)
    return line.strip()


def environment_with_tinycloud() -> dict[str, str]:
    """Return our environment, with `tinycloud` and `python3` of this very Python on the path."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def left_in(folder: Path) -> list[psutil.Process]:
    """Return the processes in or about a folder, which need not exist any more."""
    found = []
    for process in psutil.process_iter():
        try:
            at_work = Path(process.cwd().removesuffix(" (deleted)")).is_relative_to(folder)
            if at_work or f"{folder}/" in " ".join(process.cmdline()):
                found.append(process)
        except (psutil.Error, OSError):  # not ours, or gone already
            continue
    return found
