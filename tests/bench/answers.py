"""The command that all contenders run, and whether every machine has answered it."""

import re
from collections.abc import Sequence

COMMAND = "echo answer $SSH_CONNECTION"
"""Has each machine tell its own address (and who asks)."""

_ANSWER = re.compile(r"answer \S+ \d+ (\S+) \d+\b")


def check(text: str, addresses: Sequence[str]) -> None:
    """Fail unless each of these machines has answered once, and no other has."""
    found = sorted(_ANSWER.findall(text))
    assert found == sorted(addresses), f"{len(found)} of {len(addresses)} answers: {text[:500]}"
