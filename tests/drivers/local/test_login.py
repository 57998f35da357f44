"""Logging in to a node: a real terminal, over the real `ssh`."""

import re
import shutil
from pathlib import Path

import pytest

from .openssh import OpenSSH, Terminal
from .waiting import eventually

PROMPT = r"voltron/worker-0:(~|/\S+)[$#] "


def test_prompt(ssh: OpenSSH) -> None:
    """A login shell starts at home, and its prompt says which node it is on."""
    with Terminal(ssh.command("-t")) as terminal:
        terminal.expect(PROMPT)
        terminal.type("echo $0 in $PWD/ on $TINYCLOUD_NODE\n")
        shell, place = terminal.expect(r"(-\w+) in (\S+)/ on worker-0").groups()
        assert shell.startswith("-")
        assert place == ssh.output("pwd")
        terminal.type("exit 7\n")
        assert terminal.end() == 7


@pytest.mark.parametrize(
    ("shell", "prompt"),
    [
        ("dash", r"voltron/worker-0:/\S+/home\$ "),
        ("bash", PROMPT),
        ("zsh", r"voltron/worker-0:~[%#] "),
    ],
)
def test_prompts_of_other_shells(ssh: OpenSSH, shell: str, prompt: str) -> None:
    """Every usual shell shows the node in its prompt."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    with Terminal(ssh.command("-t", f"exec {shell} -l")) as terminal:
        terminal.expect(prompt)
        terminal.type("exit\n")
        assert terminal.end() == 0


def test_terminal(ssh: OpenSSH) -> None:
    """The session has a controlling terminal, with the client's TERM, size and modes."""
    with Terminal(ssh.command("-tt"), rows=33, columns=99) as terminal:
        terminal.expect(PROMPT)
        terminal.type("tty; echo $SSH_TTY $TERM; stty size; stty -a </dev/tty\n")
        tty = terminal.expect(r"(/dev/[^t]\S+)\r\n")[1]
        terminal.expect(rf"{tty} xterm-256color\r\n33 99\r\n")
        assert "erase = ^?" in terminal.expect(r"intr = \^C[^\n]*").group()
        terminal.expect("isig icanon")
        terminal.type("exit\n")
        assert terminal.end() == 0


def test_resize(ssh: OpenSSH) -> None:
    """A new window size reaches the program, with a SIGWINCH."""
    watch = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"
    with Terminal(ssh.command("-tt", watch)) as terminal:
        terminal.expect("ready")
        terminal.resize(41, 123)
        terminal.expect("41 123")


def test_job_control(ssh: OpenSSH) -> None:
    """Ctrl-Z stops a job, `fg` goes on with it, Ctrl-C ends it, and the shell lives on."""
    with Terminal(ssh.command("-tt")) as terminal:
        terminal.expect(PROMPT)
        terminal.type("echo o''n; cat\n")
        terminal.expect("on\r\n")
        terminal.type("to the cat\n")
        terminal.expect("to the cat\r\nto the cat\r\n")
        terminal.type("\x1a")
        terminal.expect("Stopped")
        terminal.type("jobs -l; fg\n")
        terminal.expect("Stopped")
        terminal.type("again\n")
        terminal.expect("again\r\nagain\r\n")
        terminal.type("\x03")
        terminal.expect(PROMPT)
        terminal.type("echo $?\n")
        terminal.expect("130\r\n")


def test_interrupt_spares_the_client(ssh: OpenSSH) -> None:
    """Ctrl-C reaches the remote job alone."""
    with Terminal(ssh.command("-tt", "trap 'echo caught; exit 9' INT; echo on; cat")) as terminal:
        terminal.expect("on\r\n")
        terminal.type("\x03")
        terminal.expect("caught")
        assert terminal.end() == 9


def test_end_of_file(ssh: OpenSSH) -> None:
    """Ctrl-D at the prompt ends the session."""
    with Terminal(ssh.command("-tt")) as terminal:
        terminal.expect(PROMPT)
        terminal.type("\x04")
        assert terminal.end() == 0


def test_background_job_lets_go(ssh: OpenSSH) -> None:
    """A shell ends its session at once, though a job in the background has the terminal open."""
    with Terminal(ssh.command("-tt")) as terminal:
        terminal.expect(PROMPT)
        terminal.type("(trap '' HUP; exec sleep 1000) & echo pid $!\n")
        pid = terminal.expect(r"pid (\d+)")[1]
        terminal.type("exit 4\n")
        assert terminal.end() == 4
    ssh.output(f"kill -KILL {pid}")


def test_hang_up(ssh: OpenSSH) -> None:
    """A client that vanishes hangs up its session's terminal."""
    with Terminal(ssh.command("-tt", "echo pid $$; exec sleep 1000")) as terminal:
        pid = terminal.expect(r"pid (\d+)")[1]
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_much_on_a_terminal(ssh: OpenSSH) -> None:
    """A terminal loses nothing of what a program prints before it ends."""
    with Terminal(ssh.command("-tt", "seq 200000; exit 6")) as terminal:
        terminal.expect(r"\n199999\r\n200000\r\n")
        assert terminal.end() == 6


def test_fast_typing(ssh: OpenSSH) -> None:
    """What is typed while a program is busy waits for it."""
    with Terminal(ssh.command("-tt", "stty -echo; echo on; sleep 0.3; sort | uniq -c")) as terminal:
        terminal.expect("on")
        for _ in range(200):
            terminal.type("the same line\n")
        terminal.type("\x04")
        assert re.fullmatch(r"\s*200", terminal.expect(r"\s*\d+(?= the same line)").group())
        assert terminal.end() == 0
