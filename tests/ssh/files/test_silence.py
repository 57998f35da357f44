"""A server that answers nothing is given up; one that answers slowly is not."""

import asyncio
import time

import pytest

from tinycloud.fanout import fan_out
from tinycloud.ssh.files import silence
from tinycloud.ssh.files.silence import Silence


async def test_one_answer_is_enough_for_all_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow link has many requests in its queue: each takes long, but another is answered."""
    monkeypatch.setattr(silence, "PATIENCE", 0.5)
    watched = Silence()
    begun = time.monotonic()
    await fan_out(lambda i: watched.broken(asyncio.sleep(0.2 * i)), range(1, 8))
    watched.close()
    assert time.monotonic() - begun > 2 * silence.PATIENCE


async def test_what_was_quiet_while_nobody_asked_is_no_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time in which nothing was asked does not count."""
    monkeypatch.setattr(silence, "PATIENCE", 0.3)
    watched = Silence()
    for _ in range(2):
        await watched.broken(asyncio.sleep(0.01))
        await asyncio.sleep(0.25)
        await watched.broken(asyncio.sleep(0.2))
    watched.close()


async def test_once_silent_nothing_is_asked_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited once does not wait again for each further file."""
    monkeypatch.setattr(silence, "PATIENCE", 0.3)
    watched = Silence()
    begun = time.monotonic()
    for _ in range(5):
        with pytest.raises(TimeoutError, match=r"no answer for 0\.3 s"):
            await watched.broken(asyncio.Event().wait())
    watched.close()
    assert time.monotonic() - begun < 3 * silence.PATIENCE
