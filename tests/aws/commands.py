"""The command line as a process that talks to our EC2, and may be killed by it."""

import signal
import subprocess
import sys

from .troubles.killing import Killing
from .world import World

NAME = "voltron"
LAUNCH = ("launch", NAME, "--driver", "aws", "-m", "debian", "--allow", "192.0.2.7/32")
PATIENCE = 100.0


def tinycloud(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tinycloud", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
    )


def done(*words: str) -> str:
    """Run the command line, which must end well; return what it answers."""
    ended = tinycloud(*words)
    assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
    return ended.stdout


def killed(ec2: World, at: int, *words: str, after: bool = False) -> bool:
    """Run the command line, killed at its call number `at`; return whether it came to that.

    `after` is whether EC2 does what the call asks, of which nobody hears any more.
    """
    killing = Killing(at, done=after)
    ec2.troubles.append(killing)
    command = [sys.executable, "-m", "tinycloud", *words]
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            killing.victim.put(process.pid)
            said, _ = process.communicate(timeout=PATIENCE)
    finally:
        ec2.troubles.remove(killing)
    assert process.returncode == (-signal.SIGKILL if killing.struck else 0), said.decode()
    return killing.struck
